package api

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// secretField is the name of the fields of replies that are secret: the
// passwords that DescribeSaslUsers answers.
const secretField = "Password"

// Redact returns a reply, JSON or XML, in which secret.Redacted stands for
// passwords. What cannot be read to its end is not returned.
func Redact(body []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	switch {
	case len(trimmed) == 0:
		return trimmed, nil
	case trimmed[0] == '<':
		return redactXML(trimmed)
	default:
		return redactJSON(trimmed)
	}
}

// span is a part of a body that is to be replaced.
type span struct{ from, to int }

func replace(body []byte, spans []span, by string) []byte {
	body = slices.Clone(body)
	for _, s := range slices.Backward(spans) {
		body = slices.Replace(body, s.from, s.to, []byte(by)...)
	}
	return body
}

func redactJSON(body []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	var spans []span
	var objects []bool // of the containers that are open, which are objects
	key := true        // the next string of an object is a key
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(objects) == 0 {
			return replace(body, spans, `"`+secret.Redacted+`"`), nil
		}
		if err != nil {
			return nil, jsonError(err)
		}
		inObject := len(objects) > 0 && objects[len(objects)-1]
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				objects = append(objects, t == '{')
			} else {
				objects = objects[:len(objects)-1]
			}
			key = true
		case string:
			if inObject && key && strings.EqualFold(t, secretField) {
				var value json.RawMessage
				if err := d.Decode(&value); err != nil {
					return nil, jsonError(err)
				}
				end := int(d.InputOffset())
				spans = append(spans, span{end - len(value), end})
				continue
			}
			key = !(inObject && key)
		default:
			key = true
		}
	}
}

func redactXML(body []byte) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var spans []span
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			var escaped bytes.Buffer
			if err := xml.EscapeText(&escaped, []byte(secret.Redacted)); err != nil {
				return nil, err
			}
			return replace(body, spans, escaped.String()), nil
		}
		if err != nil {
			return nil, errors.New("broken XML")
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if strings.EqualFold(a.Name.Local, secretField) {
				return nil, errors.New("a password as an attribute")
			}
		}
		if !strings.EqualFold(start.Name.Local, secretField) {
			continue
		}
		from := int(d.InputOffset())
		if err := d.Skip(); err != nil {
			return nil, errors.New("broken XML")
		}
		if to := bytes.LastIndex(body[:d.InputOffset()], []byte("</")); to >= from {
			spans = append(spans, span{from, to}) // else the element is empty
		}
	}
}
