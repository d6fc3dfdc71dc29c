package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFiguresForPeople(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0s", 4.02: "4.02s", 59.6: "60s", 280: "4m40s", 240: "4m", 600: "10m", 3600: "1h", 36_000: "10h", 12_030: "3h21m", 400_000: "4.6 days",
	} {
		assert.Equal(t, want, span(seconds))
	}
	for usd, want := range map[float64]string{0: "0.0010", 0.0301: "0.031", 0.91: "0.91", 9.11: "9.2", 23.4: "24", 1234: "1300"} {
		assert.Equal(t, want, amount(usd))
	}
	assert.Equal(t, "12,345", count(12_345))
	assert.Equal(t, "3% (2% to 5%)", between(Interval{0.021, 0.03, 0.049}, percent))
}
