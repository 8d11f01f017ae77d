package wire

import "testing"

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://example.com": "https://example.com", "https://example.com/api//": "https://example.com/api", "http://example.com": "",
		"https://": "", "https://u:p@example.com": "", "https://example.com?a=b": "", "https://example.com?": "", "https://example.com#a": "",
		"": "", "example.com": "", "https://[": "",
	} {
		u, err := BaseURL(given, "https://example.com", "https")
		if (want == "") != (err != nil) || err == nil && u.String() != want {
			t.Errorf("%q: got %v, %v", given, u, err)
		}
	}
}
