package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// funcs are what templates may call.
func funcs() template.FuncMap {
	return template.FuncMap{
		"count": Count[int64], "items": Count[int], "number": Number, "duration": Duration, "bytes": Bytes, "clock": clock, "date": date, "join": strings.Join,
		"lag":   func(seconds float64) string { return Duration(time.Duration(seconds * float64(time.Second))) },
		"words": func(name string) string { return strings.ReplaceAll(name, "_", " ") },
		"ago":   Ago,
	}
}

// none is what is shown where nothing is known.
const none = "–"

// Count writes a whole number with its thousands apart.
func Count[T ~int | ~int32 | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	digits := strings.TrimPrefix(s, "-")
	var b strings.Builder
	b.WriteString(s[:len(s)-len(digits)])
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Number writes a number to three digits, large ones with k, M, G or T.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.size*0.9995 {
			return digits(v/unit.size) + unit.name
		}
	}
	return digits(v)
}

// digits writes a number to three digits, and without zeros at the end.
func digits(v float64) string {
	places := 2
	switch a := math.Abs(v); {
	case a >= 99.95:
		places = 0
	case a >= 9.995:
		places = 1
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// Bytes writes a size in units of 1024.
func Bytes(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if math.Abs(v) < 1023.5 {
			return digits(v) + " " + unit
		}
		v /= 1024
	}
	return digits(v) + " TiB"
}

// Duration writes a length of time in its two largest units.
func Duration(d time.Duration) string {
	switch d = max(d, 0); {
	case d == 0:
		return "0 s"
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < 10*time.Second:
		return digits(math.Round(d.Seconds()*10)/10) + " s"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		whole := fmt.Sprintf("%d %s", d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				return fmt.Sprintf("%s %d %s", whole, rest, units[i+1].name)
			}
		}
		return whole
	}
	return none
}

// Ago writes how long before now t was; a dash where t is zero.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return none
	}
	d := now.Sub(t)
	if d < 10*time.Second {
		d = d.Truncate(time.Second)
	}
	return Duration(d)
}

// clock writes the time of day, date the day as well; both UTC.
func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

func date(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
