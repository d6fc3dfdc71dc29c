// Command image assembles Ramify's container image from binaries, and uploads it.
// `make image` and `make deploy` run it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/alecthomas/kong"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"

	"github.com/ramify/ramify/image"
	"github.com/ramify/ramify/s3client"
)

type cli struct {
	Version string   `help:"Label of the image." default:"devel"`
	Out     string   `help:"Write an OCI archive." placeholder:"FILE"`
	Push    bool     `help:"Upload to the repository of --to; print the reference by digest."`
	To      string   `help:"Repository; default: the one in Amazon ECR that cdk bootstrap made, of the account and region of the credentials." placeholder:"HOST/NAME"`
	Binary  []string `arg:"" help:"Static Linux binaries, one for each architecture." type:"existingfile"`
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("image"), kong.Description("Assembles Ramify's container image from binaries."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func (c *cli) run(ctx context.Context) error {
	index, err := c.index()
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := image.Write(c.Out, index); err != nil {
			return err
		}
	}
	if !c.Push {
		return nil
	}
	ref, err := c.push(ctx, index)
	if err != nil {
		return err
	}
	_, err = fmt.Println(ref)
	return err
}

func (c *cli) index() (v1.ImageIndex, error) {
	var images []v1.Image
	for _, b := range c.Binary {
		img, err := image.Build(b, c.Version)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return image.Index(images...)
}

// push finds credentials where docker keeps them for a repository that is named.
func (c *cli) push(ctx context.Context, index v1.ImageIndex) (string, error) {
	if c.To != "" {
		repository, err := name.NewRepository(c.To)
		if err != nil {
			return "", fmt.Errorf("--to: %w", err)
		}
		auth, err := authn.DefaultKeychain.Resolve(repository)
		if err != nil {
			return "", fmt.Errorf("find credentials for %s: %w", c.To, err)
		}
		return image.Push(ctx, repository.Name(), index, auth)
	}
	cfg, err := s3client.LoadConfig(ctx)
	if err != nil {
		return "", err
	}
	registry, err := image.Login(ctx, cfg)
	if err != nil {
		return "", err
	}
	repository, err := registry.Bootstrapped()
	if err != nil {
		return "", err
	}
	return image.Push(ctx, repository, index, registry.Auth)
}
