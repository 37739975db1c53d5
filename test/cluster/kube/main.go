// Command kube bundles the Kubernetes programs of the test cluster, kubectl among them. They share most of their
// packages, so one link and one file serve for all: the first argument names the program and the rest are its flags,
// or the file is called by a link that has the name of a program.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/restclient"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// A program runs with os.Args already shifted, so that Args[0] is its own name, and returns its exit code.
type program struct {
	name string
	run  func() int
}

var programs = []program{
	daemon("kube-apiserver", apiserver.NewAPIServerCommand),
	daemon("kube-controller-manager", controllers.NewControllerManagerCommand),
	daemon("kube-scheduler", func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	daemon("kube-proxy", proxy.NewProxyCommand),
	daemon("kubelet", func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	{"kubectl", kubectl},
}

// The command is made only for the program that was asked for: making one registers flags and feature gates globally.
func daemon(name string, command func() *cobra.Command) program {
	return program{name, func() int { return cli.Run(command()) }}
}

// kubectl words its own errors, where the daemons leave that to component-base.
func kubectl() int {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	return 0
}

func named(name string) *program {
	for i := range programs {
		if programs[i].name == name {
			return &programs[i]
		}
	}
	return nil
}

func main() {
	chosen := named(filepath.Base(os.Args[0]))
	if chosen == nil && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		chosen = named(os.Args[0])
	}
	if chosen == nil {
		names := make([]string, len(programs))
		for i, p := range programs {
			names[i] = p.name
		}
		fmt.Fprintln(os.Stderr, "usage: kube "+strings.Join(names, "|")+" [flags]")
		os.Exit(64)
	}
	os.Exit(chosen.run())
}
