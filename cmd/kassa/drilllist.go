package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/drill/scenario"
)

func newDrillList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the drills that are built in",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return listDrills(cmd.OutOrStdout()) },
	}
}

func newDrillShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print a built-in drill as a file that can be saved, changed and run",
		Example: "kassa drill show leader-kill > mine.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("drill show takes the name of a drill, and kassa drill list names them")}
			}
			return nil
		},
		ValidArgsFunction: completeDrills,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := scenario.Source(args[0])
			if text == nil {
				_, err := scenario.Named(args[0])
				return &kafkaops.UserError{Message: err.Error(), Err: err}
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

func listDrills(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range scenario.Builtin() {
		fmt.Fprintf(tab, "%s\t%s\n", s.Name, s.About)
	}
	return tab.Flush()
}

func completeDrills(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range scenario.Builtin() {
		names = append(names, s.Name+"\t"+s.About)
	}
	return names, cobra.ShellCompDirectiveDefault
}
