package tree

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
)

// maxShown is the maximum number of scopes of a list in a table that is not wide.
const maxShown = 4

// Text returns the report as a table. namespaces adds the namespaces; wide adds
// complete lists, conditions and messages.
func (r Report) Text(namespaces, wide bool) string {
	var text strings.Builder
	t := &table{writer: tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0), namespaces: namespaces, wide: wide}
	if len(r.Configs) > 0 {
		t.row("NAMESPACE", "NAME", "BASELINE", "VERDICT", "EFFECTIVE SCOPES", "FROM", "ROLLOUT", "CONDITION", "MESSAGE")
	}
	counts, consumers := map[string]int{}, 0
	for _, config := range r.Configs {
		t.config(config)
		for _, consumer := range config.Consumers {
			counts[consumer.Verdict.State]++
			consumers++
		}
	}
	_ = t.writer.Flush() // A strings.Builder takes everything.
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	fmt.Fprintf(&text, "%s, %s: %d supported, %d not supported, %d unresolved\n",
		many(len(r.Configs), "config"), many(consumers, "consumer"), counts[supported], counts[notSupported], counts[unresolved])
	return text.String()
}

type table struct {
	writer           *tabwriter.Writer
	namespaces, wide bool
}

func (t *table) row(cells ...string) {
	if !t.wide {
		cells = cells[:len(cells)-2]
	}
	if !t.namespaces {
		cells = cells[1:]
	}
	for i := range cells {
		// A tab or a newline in a cell would break the columns.
		cells[i] = strings.Map(func(r rune) rune { return max(r, ' ') }, cmp.Or(cells[i], "-"))
	}
	_, _ = fmt.Fprintln(t.writer, strings.Join(cells, "\t"))
}

func (t *table) config(config Config) {
	name, baseline := config.Kind+"/"+config.Name, t.list(config.Baseline)
	if len(config.Consumers) == 1 && config.Consumers[0].Kind == config.Kind {
		// A VirtualMCPServer is the only consumer of its own config.
		t.consumer(config.Namespace, name, baseline, config.Consumers[0])
		return
	}
	t.row(config.Namespace, name, baseline, config.Verdict.State, "", "", "", condition(config.Condition), config.Verdict.Message)
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
	t.row(namespace, name, baseline, verdict, t.list(consumer.Effective), consumer.Source, rollout, condition(consumer.Condition), explanation(consumer))
}

// explanation returns the message of the verdict, and that of a rollout which does
// not proceed.
func explanation(consumer Consumer) string {
	verdict, rollout := consumer.Verdict.Message, consumer.Rollout.Message
	switch {
	case consumer.Rollout.State != Held && consumer.Rollout.State != Failed || strings.Contains(verdict, rollout):
		return verdict
	case strings.Contains(rollout, verdict):
		return rollout
	default:
		return verdict + "; rollout: " + rollout
	}
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

func many(count int, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", count, what)
}
