package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// assign sets field to raw: the text of a flag, a variable or a YAML scalar, or
// a YAML list. The error says what was expected, without the value.
func assign(k kind, field reflect.Value, raw any) error {
	if k == kindList {
		list, err := listOf(raw)
		if err == nil {
			field.Set(reflect.ValueOf(list).Convert(field.Type()))
		}
		return err
	}
	text, err := scalar(raw)
	if err != nil {
		return err
	}
	switch k {
	case kindSwitch:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("expected true or false")
		}
		field.SetBool(on)
	case kindFraction:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("expected a number, such as 0.5")
		}
		field.SetFloat(f)
	case kindDuration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("expected a duration with its unit, such as 500ms, 5s or 1m30s")
		}
		field.SetInt(int64(d))
	case kindSize:
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		return setWhole(field, n)
	case kindNumber:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("expected a whole number")
		}
		return setWhole(field, n)
	default:
		field.SetString(text)
	}
	return nil
}

func setWhole(field reflect.Value, n int64) error {
	if field.OverflowInt(n) {
		return errors.New("the number is too large")
	}
	field.SetInt(n)
	return nil
}

// parseSize reads bytes: a whole number, or one with a unit.
func parseSize(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	n, err := humanize.ParseBytes(text)
	if err != nil {
		return 0, errors.New("expected a size in bytes, such as 65536, 64KiB or 1GiB")
	}
	if n > math.MaxInt64 {
		return 0, errors.New("the size is too large")
	}
	return int64(n), nil
}

// scalar returns the text of raw, which is text unless a file has something
// else there.
func scalar(raw any) (string, error) {
	switch v := raw.(type) {
	case string:
		return v, nil
	case []any:
		return "", errors.New("expected one value, not a list")
	case map[string]any:
		return "", errors.New("expected one value, not keys of its own")
	default:
		return "", errors.New("expected text: write the value in quotes")
	}
}

// listOf reads a YAML list, or text with commas between the elements.
func listOf(raw any) ([]string, error) {
	items, ok := raw.([]any)
	if !ok {
		text, err := scalar(raw)
		if err != nil {
			return nil, err
		}
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list, nil
	}
	var list []string // nil when empty, as from text
	for _, item := range items {
		text, err := scalar(item)
		if err != nil {
			return nil, fmt.Errorf("in the list: %w", err)
		}
		list = append(list, text)
	}
	return list, nil
}

// format writes a value the way assign reads it.
func format(k kind, field reflect.Value) string {
	switch k {
	case kindSwitch:
		return strconv.FormatBool(field.Bool())
	case kindNumber:
		return strconv.FormatInt(field.Int(), 10)
	case kindFraction:
		return strconv.FormatFloat(field.Float(), 'g', -1, 64)
	case kindDuration:
		return formatDuration(time.Duration(field.Int()))
	case kindSize:
		return formatSize(field.Int())
	case kindList:
		items := make([]string, field.Len())
		for i := range items {
			items[i] = field.Index(i).String()
		}
		return strings.Join(items, ",")
	default:
		return field.String()
	}
}

// formatDuration leaves out the zero units that Duration.String spells: 1h,
// not 1h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// formatSize uses the largest unit that loses nothing.
func formatSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for n != 0 && n%1024 == 0 && unit < len(units)-1 {
		n /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + units[unit]
}
