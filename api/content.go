package api

// Content is what a notification says: exactly one of the kinds, by its key.
//
// FallbackTemplate, Mentions and ReplyTo refine some of the kinds; a provider that cannot honour one refuses it at accept.
type Content struct {
	Text     *string   `json:"text,omitempty" doc:"Plain text, 1 to 4096 characters" example:"Your order is on its way"`
	Image    *Media    `json:"image,omitempty" doc:"A picture by its public URL (JPEG or PNG, up to 5 MB)"`
	Video    *Media    `json:"video,omitempty" doc:"A video by its public URL (MP4 or 3GPP, up to 16 MB)"`
	Document *Document `json:"document,omitempty" doc:"A file by its public URL (up to 100 MB)"`
	Audio    *Audio    `json:"audio,omitempty" doc:"A voice note by its public URL (up to 16 MB)"`
	Sticker  *Sticker  `json:"sticker,omitempty" doc:"A sticker by its public URL (WebP, up to 100 KB)"`
	Contact  *Contact  `json:"contact,omitempty" doc:"A contact card"`
	Location *Location `json:"location,omitempty" doc:"A point on the map"`
	Poll     *Poll     `json:"poll,omitempty" doc:"A question with options"`
	Push     *Push     `json:"push,omitempty" doc:"A notification on the user's devices. There, text is short for a push with that body"`

	Template    *Template    `json:"template,omitempty" doc:"whatsapp_cloud: an approved template, the only content outside of the 24-hour window"`
	Interactive *Interactive `json:"interactive,omitempty" doc:"whatsapp_cloud: a text with reply buttons or a list"`
	Reaction    *Reaction    `json:"reaction,omitempty" doc:"whatsapp_cloud: an emoji on a message"`

	FallbackTemplate *Template `json:"fallback_template,omitempty" doc:"whatsapp_cloud, beside any kind but template: the template that goes in its place where the recipient has not written in the last 24 hours"`

	Mentions []string `json:"mentions,omitempty" maxItems:"50" doc:"Phone numbers (E.164) that the text mentions"`
	ReplyTo  string   `json:"reply_to,omitempty" doc:"The provider's message id that this answers"`
}

// Media is an image or a video.
type Media struct {
	URL      string `json:"url,omitempty" format:"uri" doc:"https URL that the provider fetches"`
	MediaID  string `json:"media_id,omitempty" maxLength:"64" doc:"whatsapp_cloud: instead of the url, the id of an uploaded file"`
	Caption  string `json:"caption,omitempty" maxLength:"4096"`
	ViewOnce bool   `json:"view_once,omitempty" doc:"The recipient can open it once"`
}

// Document is a file.
type Document struct {
	URL      string `json:"url,omitempty" format:"uri" doc:"https URL that the provider fetches"`
	MediaID  string `json:"media_id,omitempty" maxLength:"64" doc:"whatsapp_cloud: instead of the url, the id of an uploaded file"`
	Filename string `json:"filename,omitempty" maxLength:"255"`
	Caption  string `json:"caption,omitempty" maxLength:"4096"`
}

// Audio is a voice note.
type Audio struct {
	URL      string `json:"url,omitempty" format:"uri" doc:"https URL that the provider fetches"`
	MediaID  string `json:"media_id,omitempty" maxLength:"64" doc:"whatsapp_cloud: instead of the url, the id of an uploaded file"`
	ViewOnce bool   `json:"view_once,omitempty"`
}

// Sticker is a sticker.
type Sticker struct {
	URL     string `json:"url,omitempty" format:"uri" doc:"https URL that the provider fetches"`
	MediaID string `json:"media_id,omitempty" maxLength:"64" doc:"whatsapp_cloud: instead of the url, the id of an uploaded file"`
}

// Contact is a contact card.
type Contact struct {
	Name  string `json:"name" maxLength:"256"`
	Phone string `json:"phone" doc:"E.164" example:"+919812345678"`
}

// Location is a point on the map, in degrees; both are needed.
type Location struct {
	Latitude  *float64 `json:"latitude" nullable:"false" minimum:"-90" maximum:"90"`
	Longitude *float64 `json:"longitude" nullable:"false" minimum:"-180" maximum:"180"`
	Name      string   `json:"name,omitempty" maxLength:"256"`
	Address   string   `json:"address,omitempty" maxLength:"1024"`
}

// Poll is a question with 2 to 12 options.
type Poll struct {
	Question    string   `json:"question" maxLength:"255"`
	Options     []string `json:"options" minItems:"2" maxItems:"12"`
	MultiSelect bool     `json:"multi_select,omitempty"`
}

// Kinds names the kinds that are set, in the order of the struct; a valid Content has exactly one.
func (c *Content) Kinds() []string {
	var kinds []string
	for _, k := range [...]struct {
		name string
		set  bool
	}{
		{"text", c.Text != nil}, {"image", c.Image != nil}, {"video", c.Video != nil}, {"document", c.Document != nil},
		{"audio", c.Audio != nil}, {"sticker", c.Sticker != nil}, {"contact", c.Contact != nil},
		{"location", c.Location != nil}, {"poll", c.Poll != nil}, {"push", c.Push != nil},
		{"template", c.Template != nil}, {"interactive", c.Interactive != nil}, {"reaction", c.Reaction != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}
