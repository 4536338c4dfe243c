package tree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// maxShown is the maximum number of scopes of a list in a table that is not wide.
const maxShown = 4

// Text returns the report as a table. wide adds complete lists, conditions and
// messages. If a line is longer than width, and width is not 0, the verdicts come
// first, as a terminal breaks or cuts the lines.
func (r Report) Text(wide bool, width int) string {
	var text strings.Builder
	switch {
	case len(r.Configs) > 0:
		rows := r.table(wide, false)
		if width > 0 && longest(rows) > width {
			rows = r.table(wide, true)
		}
		text.WriteString(rows)
	case r.Namespace == "":
		text.WriteString("no namespace has an auth server config\n")
	default:
		fmt.Fprintf(&text, "namespace %q has no auth server config; -A shows all namespaces\n", r.Namespace)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	counts, consumers := map[string]int{}, 0
	for _, config := range r.Configs {
		for _, consumer := range config.Consumers {
			counts[consumer.Verdict.State]++
			consumers++
		}
	}
	fmt.Fprintf(&text, "%s, %s: %d supported, %d not supported, %d unresolved\n",
		many(len(r.Configs), "config"), many(consumers, "consumer"), counts[supported], counts[notSupported], counts[unresolved])
	return text.String()
}

func (r Report) table(wide, verdictFirst bool) string {
	var text strings.Builder
	t := &table{writer: tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0), namespaces: r.Namespace == "", wide: wide, verdictFirst: verdictFirst}
	t.row("NAMESPACE", "NAME", "BASELINE", "VERDICT", "EFFECTIVE SCOPES", "FROM", "ROLLOUT", "CONDITION", "MESSAGE")
	for _, config := range r.Configs {
		t.config(config)
	}
	_ = t.writer.Flush() // A strings.Builder takes everything.
	return text.String()
}

// longest returns the number of characters of the longest line.
func longest(text string) int {
	longest := 0
	for line := range strings.Lines(text) {
		longest = max(longest, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
	}
	return longest
}

type table struct {
	writer                         *tabwriter.Writer
	namespaces, wide, verdictFirst bool
}

func (t *table) row(namespace, name, baseline, verdict, effective, from, rollout, condition, message string) {
	cells := []string{name, baseline, verdict, effective, from, rollout}
	if t.verdictFirst {
		cells = []string{verdict, name, rollout, baseline, effective, from}
	}
	if t.namespaces {
		cells = slices.Insert(cells, slices.Index(cells, name), namespace)
	}
	if t.wide {
		cells = append(cells, condition, message)
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
	t.row(config.Namespace, name, baseline, config.Verdict.State, "", "", "", conditionText(config.Condition), config.Verdict.Message)
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
	t.row(namespace, name, baseline, verdict, t.list(consumer.Effective), consumer.Source, rollout, conditionText(consumer.Condition), explanation(consumer))
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

func conditionText(c *Condition) string {
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
