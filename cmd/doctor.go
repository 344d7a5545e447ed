package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/doctor"
)

func newDoctor() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine Redis, the database and the spool, and say what to change",
		Long: `Examine Redis, the stream, the database and the spool, and say what to change.

Each finding is ok, a warning, a problem, or unknown where a server does not
say. The exit code is 1 when there is a problem. Nothing is changed, and what
cannot be reached does not keep the rest from being examined.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, []string{"text", "json"}); err != nil {
				return err
			}
			loaded, err := load(cmd, config.Doctor)
			if err != nil {
				return err
			}
			found := app.Diagnose(cmd.Context(), loaded.Config, loggerOf(cmd, loaded.Config.Log))
			write := writeReport
			if output == "json" {
				write = writeReportJSON
			}
			if err := write(cmd.OutOrStdout(), found); err != nil {
				return err
			}
			if n := found.Count(doctor.Problem); n > 0 {
				return fmt.Errorf("problems found: %d", n)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	config.AddFlags(cmd.Flags(), config.Doctor)
	return cmd
}

// writeReport writes a line for each finding, one more for its remedy, and how
// many there are of each status.
func writeReport(w io.Writer, r doctor.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Status, f.Check, f.Message)
		if f.Remedy != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Remedy)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\n"+summary(r))
	return err
}

// summary says in one line how many findings there are of each status.
func summary(r doctor.Report) string {
	var counts []string
	for _, status := range []doctor.Status{doctor.Problem, doctor.Warning, doctor.Unknown, doctor.OK} {
		if n := r.Count(status); n > 0 {
			name := string(status)
			if n > 1 && (status == doctor.Problem || status == doctor.Warning) {
				name += "s"
			}
			counts = append(counts, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(counts, ", ")
}

// writeReportJSON writes the findings, and their number by status, as an
// object.
func writeReportJSON(w io.Writer, r doctor.Report) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Problems int              `json:"problems"`
		Warnings int              `json:"warnings"`
		Unknown  int              `json:"unknown"`
		OK       int              `json:"ok"`
		Findings []doctor.Finding `json:"findings"`
	}{r.Count(doctor.Problem), r.Count(doctor.Warning), r.Count(doctor.Unknown), r.Count(doctor.OK), r.Findings})
}
