package leastprivilege_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/api/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"github.com/scopegate/scopegate/internal/testenv"
)

func TestMeasure(t *testing.T) {
	for _, mode := range []string{"guard.yaml", "install.yaml"} {
		i := install(t, mode == "guard.yaml", filepath.Join(dist, mode))
		create(t, i.Cluster, testenv.OIDCConfig("team-a", "oidc"))
		for n := range 500 {
			name := fmt.Sprintf("o%d", n)
			create(t, i.Cluster, testenv.Config("team-a", name, "openid"), testenv.Server("team-a", name, testenv.AuthServerRef(name, "openid")))
		}
		m := i.manager(t)
		for n := range 500 {
			testenv.Await(t, i.Client, &v1beta1.MCPServer{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: fmt.Sprintf("o%d", n)}}, "judged", func(s *v1beta1.MCPServer) bool { return len(s.Status.Conditions) > 0 })
		}
		show := func(what string) {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.command.Process.Pid))
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.command.Process.Pid))
			fmt.Println("MEASURE", mode, what, grep(string(status), "VmRSS"), grep(string(status), "VmHWM"), cpu(string(stat)))
		}
		show("after start")
		time.Sleep(30 * time.Second)
		show("30s later")
		m.stop(t)
	}
}

func grep(text, word string) string {
	for _, line := range splitLines(text) {
		if len(line) > len(word) && line[:len(word)] == word {
			return line
		}
	}
	return ""
}

func splitLines(s string) (lines []string) {
	line := ""
	for _, r := range s {
		if r == '\n' {
			lines = append(lines, line)
			line = ""
		} else {
			line += string(r)
		}
	}
	return lines
}

func cpu(s string) string {
	var f []string
	w := ""
	for _, r := range s {
		if r == ' ' {
			f = append(f, w)
			w = ""
		} else {
			w += string(r)
		}
	}
	return "utime+stime ticks " + f[13] + " " + f[14]
}
