package peer

import (
	"fmt"
	"slices"
	"strconv"
)

// Copies is the name of the bucket that is copied to.
const Copies = "copies"

// Copier is a tool that is asked to copy all of [Bucket] to [Copies], on the server.
type Copier struct {
	Name, About, Binary string

	args func(endpoint string) []string
}

// Args are what the program is called with.
func (c *Copier) Args(endpoint string) []string { return c.args(endpoint) }

// Copiers are the tools that copying is compared with, of those that race.
func Copiers(racing []Tool) []Copier {
	return slices.DeleteFunc([]Copier{copyS5cmd(64), copyS5cmd(256), copyRclone(64)}, func(c Copier) bool {
		return !slices.ContainsFunc(racing, func(t Tool) bool { return t.Binary() == c.Binary })
	})
}

func copyS5cmd(workers int) Copier {
	return Copier{
		Name: fmt.Sprintf("s5cmd-%d", workers), Binary: "s5cmd", About: fmt.Sprintf("s5cmd v2.3.0, cp with %d workers", workers),
		args: func(endpoint string) []string {
			return []string{
				"--endpoint-url", endpoint, "--numworkers", strconv.Itoa(workers), "--log", "error",
				"cp", "s3://" + Bucket + "/*", "s3://" + Copies + "/",
			}
		},
	}
}

func copyRclone(transfers int) Copier {
	return Copier{
		Name: fmt.Sprintf("rclone-%d", transfers), Binary: "rclone",
		About: fmt.Sprintf("rclone v1.76.0, copy with %d transfers and checkers, --fast-list, and no request that it can do without", transfers),
		args: func(endpoint string) []string {
			remote := `:s3,provider=Other,env_auth,force_path_style=true,list_version=2,list_url_encode=true,no_check_bucket=true,no_head=true,endpoint="` + endpoint + `":`
			n := strconv.Itoa(transfers)
			return []string{"copy", "--config", "", "--fast-list", "--transfers", n, "--checkers", n, remote + Bucket, remote + Copies}
		},
	}
}
