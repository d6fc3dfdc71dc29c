package progress

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ramify/ramify/s3serve/sample"
)

// bucket makes about n keys of a shape, sorted.
type bucket func(t testing.TB, n int) []string

// buckets are shapes that real ones have, and those that are hard to tell from their
// first keys.
var buckets = map[string]bucket{
	"debian": func(t testing.TB, _ int) []string {
		keys, err := sample.Keys()
		if err != nil {
			t.Fatal(err)
		}
		return keys
	},
	// Tables by day, the way Hive, Spark and Athena lay them out; all days alike.
	"hive": made(func(r *rand.Rand, n int, add func(string, ...any)) {
		tables := []string{"clicks", "impressions", "orders", "returns", "sessions", "shipments", "users", "visits"}
		for _, table := range tables {
			days(2020, 2024, func(y, m, d int) {
				for p := range max(n/len(tables)/5/12/28, 1) {
					add("table=%s/year=%d/month=%02d/day=%02d/part-%05d-%08x.snappy.parquet", table, y, m, d, p, r.Uint32())
				}
			})
		}
	}),
	// One table with the most, which is neither the first nor the last.
	"hive-skewed": made(func(r *rand.Rand, n int, add func(string, ...any)) {
		for _, table := range []string{"accounts", "balances", "cities", "events", "offers", "users", "zones"} {
			days(2020, 2024, func(y, m, d int) {
				parts := 1
				if table == "events" {
					parts = max(n/5/12/28-6, 1)
				}
				for p := range parts {
					add("table=%s/year=%d/month=%02d/day=%02d/part-%05d-%08x.snappy.parquet", table, y, m, d, p, r.Uint32())
				}
			})
		}
	}),
	"hours": made(func(r *rand.Rand, n int, add func(string, ...any)) {
		days(2015, 2024, func(y, m, d int) {
			for h := range 24 {
				for p := range max(n/10/12/28/24, 1) {
					add("year=%d/month=%02d/day=%02d/hour=%02d/part-%05d-%08x.parquet", y, m, d, h, p, r.Uint32())
				}
			}
		})
	}),
	"digits": made(func(_ *rand.Rand, n int, add func(string, ...any)) {
		for i := range n {
			add("%08d", i)
		}
	}),
	"hash": made(func(r *rand.Rand, n int, add func(string, ...any)) {
		for range n {
			add("%016x", r.Uint64())
		}
	}),
	// One prefix in another, 200 deep, with as many keys in each.
	"chain": made(func(_ *rand.Rand, n int, add func(string, ...any)) {
		prefix := ""
		for level := range 200 {
			prefix += string(rune('a'+level%26)) + "/"
			for i := range n / 200 {
				add("%sobject-%06d.bin", prefix, i)
			}
		}
	}),
	"wide": made(func(_ *rand.Rand, n int, add func(string, ...any)) {
		for i := range n / 10 {
			for k := range 10 {
				add("user-%06d/%d.json", i*7, k)
			}
		}
	}),
	// The first folder of folders has nearly all, each time.
	"first": lopsided(0),
	// The last one has.
	"last": lopsided(foldersBeside - 1),
	"ninety": made(func(_ *rand.Rand, n int, add func(string, ...any)) {
		for i := range n / 10 * 9 {
			add("data/user=%05d/part-%08d.parquet", i%3000, i)
		}
		for i := range n / 10 {
			add("%c%c/other-%06d", 'a'+i%26, 'a'+i/26%26, i)
		}
	}),
}

func days(from, to int, each func(y, m, d int)) {
	for y := from; y <= to; y++ {
		for m := 1; m <= 12; m++ {
			for d := 1; d <= 28; d++ {
				each(y, m, d)
			}
		}
	}
}

// foldersBeside is how many folders lie side by side, but where nearly all is.
const foldersBeside = 5

// lopsided has nearly all in one folder of folders: so many lie before it, each time.
func lopsided(before int) bucket {
	return made(func(_ *rand.Rand, n int, add func(string, ...any)) {
		for a := range foldersBeside {
			for b := range foldersBeside {
				folders := foldersBeside
				if a == before && b == before {
					folders = 2000
				}
				for c := range folders {
					for k := range n / 2100 {
						add("area-%d/part-%d/folder-%04d/%06d", a, b, c, k)
					}
				}
			}
		}
	})
}

func made(fill func(r *rand.Rand, n int, add func(string, ...any))) bucket {
	return func(_ testing.TB, n int) (keys []string) {
		fill(rand.New(rand.NewPCG(20261126, 3)), n, func(format string, a ...any) { keys = append(keys, fmt.Sprintf(format, a...)) })
		slices.Sort(keys)
		return keys
	}
}
