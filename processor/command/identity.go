package command

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/ramify/ramify/schema"
)

// identity is whose rights a program has; nil is ours.
type identity struct {
	*user.User
	uid, gid uint32
	groups   []uint32
}

// lookUp finds a user by name or number.
func lookUp(name string) (*identity, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if _, numeric := strconv.Atoi(name); err != nil && numeric == nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return nil, &schema.FieldError{Field: "user", Value: name, Want: "one that this machine has"}
	}
	who := &identity{User: u}
	if who.uid, err = number(u.Uid); err != nil {
		return nil, err
	}
	if who.gid, err = number(u.Gid); err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up groups of user %s: %w", name, err)
	}
	for _, g := range groups {
		id, err := number(g)
		if err != nil {
			return nil, err
		}
		who.groups = append(who.groups, id)
	}
	if me := os.Geteuid(); me != 0 && me != int(who.uid) {
		return nil, &schema.FieldError{Field: "user", Value: name, Want: fmt.Sprintf("none, or this process's own (%d): only root can run programs as somebody else", me)}
	}
	return who, nil
}

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read number of user: %w", err)
	}
	return uint32(n), nil
}

// environment is what programs look at to know who they are.
func (i *identity) environment() []string {
	if i == nil {
		return nil
	}
	return []string{"HOME=" + i.HomeDir, "USER=" + i.Username, "LOGNAME=" + i.Username}
}
