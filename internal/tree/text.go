package tree

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Format is how a tree is written.
type Format string

// The formats.
const (
	Text Format = ""
	Wide Format = "wide"
	JSON Format = "json"
)

// maxShown is how many scopes of a list the format Text shows.
const maxShown = 4

// Write writes a tree. namespaces tells whether text names them. With compact,
// JSON is on one line, as one of several reports.
func Write(out io.Writer, report Report, format Format, namespaces, compact bool) error {
	if format == JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		if !compact {
			encoder.SetIndent("", "  ")
		}
		return encoder.Encode(report)
	}
	t := &table{namespaces: namespaces, wide: format == Wide}
	t.add("NAMESPACE", "NAME", "BASELINE", "VERDICT", "EFFECTIVE SCOPES", "FROM", "ROLLOUT", "CONDITION", "MESSAGE")
	for _, config := range report.Configs {
		t.config(config)
	}
	if len(report.Configs) > 0 {
		writer := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		for _, row := range t.rows {
			if _, err := fmt.Fprintln(writer, strings.Join(row, "\t")); err != nil {
				return err
			}
		}
		if err := writer.Flush(); err != nil {
			return err
		}
	}
	for _, note := range report.Notes {
		if _, err := fmt.Fprintln(out, note); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, summary(report))
	return err
}

// table gathers rows.
type table struct {
	namespaces, wide bool
	rows             [][]string
}

func (t *table) add(namespace, name, baseline, verdict, effective, from, rollout, condition, message string) {
	row := []string{name, baseline, verdict, effective, from, rollout}
	if t.namespaces {
		row = append([]string{namespace}, row...)
	}
	if t.wide {
		row = append(row, condition, message)
	}
	for i := range row {
		// A tab or a line's end within would break the columns.
		row[i] = strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, cmp.Or(row[i], "-"))
	}
	t.rows = append(t.rows, row)
}

func (t *table) config(config Config) {
	name := config.Kind + "/" + config.Name
	baseline := t.list(config.Baseline)
	if len(config.Consumers) == 1 && config.Consumers[0].Kind == config.Kind {
		// A VirtualMCPServer runs from its own config.
		t.consumer(config.Namespace, name, baseline, config.Consumers[0])
		return
	}
	t.add(config.Namespace, name, baseline, config.Verdict.State, "", "", "", condition(config.Condition), config.Verdict.Message)
	for i, consumer := range config.Consumers {
		branch := "├─ "
		if i == len(config.Consumers)-1 {
			branch = "└─ "
		}
		t.consumer(config.Namespace, branch+consumer.Kind+"/"+consumer.Name, "", consumer)
	}
}

func (t *table) consumer(namespace, name, baseline string, consumer Consumer) {
	verdict := consumer.Verdict.State
	if detail := cmp.Or(t.list(consumer.Verdict.Missing), consumer.Verdict.Cause); detail != "" {
		verdict += ": " + detail
	}
	rollout := consumer.Rollout.State
	if consumer.Rollout.Reason != "" && consumer.Rollout.Reason != consumer.Rollout.State {
		rollout += " (" + consumer.Rollout.Reason + ")"
	}
	t.add(namespace, name, baseline, verdict, t.list(consumer.Effective), consumer.Source, rollout, condition(consumer.Condition), consumer.Verdict.Message)
}

func (t *table) list(scopes []string) string {
	if !t.wide && len(scopes) > maxShown {
		return fmt.Sprintf("%s,+%d", strings.Join(scopes[:maxShown], ","), len(scopes)-maxShown)
	}
	return strings.Join(scopes, ",")
}

func condition(c *Condition) string {
	switch {
	case c == nil:
		return ""
	case c.Stale:
		return c.Status + " (stale)"
	default:
		return c.Status
	}
}

func summary(report Report) string {
	counts, consumers := map[string]int{}, 0
	for _, config := range report.Configs {
		consumers += len(config.Consumers)
		for _, consumer := range config.Consumers {
			counts[consumer.Verdict.State]++
		}
	}
	return fmt.Sprintf("%s, %s: %d supported, %d not supported, %d unresolved", many(len(report.Configs), "config"), many(consumers, "consumer"),
		counts[supported], counts[notSupported], counts[unresolved])
}

func many(count int, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", count, what)
}
