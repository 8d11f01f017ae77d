package api

// Template is a message that WhatsApp has approved, with what goes into its places.
type Template struct {
	Name     string              `json:"name" minLength:"1" maxLength:"512" doc:"As in the account's catalogue" example:"order_paid"`
	Language string              `json:"language" minLength:"2" maxLength:"15" doc:"Code of the translation" example:"en_US"`
	Header   []TemplateParameter `json:"header,omitempty" maxItems:"10" doc:"What goes into the header: a file, or its text's variables"`
	Body     []TemplateParameter `json:"body,omitempty" maxItems:"100" doc:"The body's variables, in order"`
	Buttons  []TemplateButton    `json:"buttons,omitempty" maxItems:"10" doc:"Of those buttons that take a parameter"`
}

// TemplateParameter fills one place of a template: exactly one of the fields after Name.
type TemplateParameter struct {
	Name     string    `json:"name,omitempty" maxLength:"512" doc:"Of a template whose variables have names"`
	Text     *string   `json:"text,omitempty" maxLength:"32768"`
	Currency *Currency `json:"currency,omitempty"`
	DateTime *string   `json:"date_time,omitempty" doc:"A date or time as it is to be read" example:"21 November 2026"`
	Image    *Media    `json:"image,omitempty" doc:"header only; without caption"`
	Video    *Media    `json:"video,omitempty" doc:"header only; without caption"`
	Document *Document `json:"document,omitempty" doc:"header only; without caption"`
}

// Currency is an amount of money.
type Currency struct {
	Fallback   string `json:"fallback" minLength:"1" maxLength:"64" doc:"What is read where the amount cannot be localized" example:"$100.99"`
	Code       string `json:"code" pattern:"^[A-Z]{3}$" patternDescription:"three capital letters, such as USD" doc:"ISO 4217" example:"USD"`
	Amount1000 int64  `json:"amount_1000" doc:"The amount times 1000" example:"100990"`
}

// TemplateButton is what one button of a template takes.
type TemplateButton struct {
	Index int    `json:"index" minimum:"0" maximum:"9" doc:"Which button, from 0"`
	Type  string `json:"type" enum:"url,quick_reply,copy_code"`
	Text  string `json:"text" minLength:"1" maxLength:"2048" doc:"url: the end of its URL. quick_reply: what comes back when it is tapped. copy_code: the code, up to 20 characters"`
}

// Interactive is a text with up to 3 buttons, or with a list.
type Interactive struct {
	Header  *InteractiveHeader `json:"header,omitempty"`
	Body    string             `json:"body" minLength:"1" maxLength:"1024"`
	Footer  string             `json:"footer,omitempty" maxLength:"60"`
	Buttons []ReplyButton      `json:"buttons,omitempty" maxItems:"3" doc:"1 to 3; or a list"`
	List    *ReplyList         `json:"list,omitempty" doc:"Or buttons"`
}

// InteractiveHeader is exactly one of its fields; above a list only text.
type InteractiveHeader struct {
	Text     string    `json:"text,omitempty" maxLength:"60"`
	Image    *Media    `json:"image,omitempty" doc:"Without caption"`
	Video    *Media    `json:"video,omitempty" doc:"Without caption"`
	Document *Document `json:"document,omitempty" doc:"Without caption"`
}

// ReplyButton is a button that sends its id back when it is tapped.
type ReplyButton struct {
	ID    string `json:"id" minLength:"1" maxLength:"256"`
	Title string `json:"title" minLength:"1" maxLength:"20"`
}

// ReplyList is a button that opens a list of up to 10 rows in all.
type ReplyList struct {
	Button   string        `json:"button" minLength:"1" maxLength:"20"`
	Sections []ListSection `json:"sections" minItems:"1" maxItems:"10"`
}

// ListSection is a part of a list.
type ListSection struct {
	Title string    `json:"title,omitempty" maxLength:"24" doc:"Needed where there is more than one section"`
	Rows  []ListRow `json:"rows" minItems:"1" maxItems:"10"`
}

// ListRow is a row that sends its id back when it is chosen.
type ListRow struct {
	ID          string `json:"id" minLength:"1" maxLength:"200"`
	Title       string `json:"title" minLength:"1" maxLength:"24"`
	Description string `json:"description,omitempty" maxLength:"72"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	MessageID string `json:"message_id" doc:"The provider's id of the message" example:"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI="`
	Emoji     string `json:"emoji" maxLength:"32" doc:"Empty takes the reaction back"`
}

// WhatsAppCloud are the settings that only kind whatsapp_cloud has.
type WhatsAppCloud struct {
	PhoneNumberID string `json:"phone_number_id,omitempty" pattern:"^[0-9]*$" patternDescription:"the digits of the id that Meta shows, not the number" maxLength:"32" doc:"The sending number's id at Meta; needed unless messages_path is set" example:"106540352242922"`
	WABAID        string `json:"waba_id,omitempty" pattern:"^[0-9]*$" patternDescription:"the digits of the id that Meta shows" maxLength:"32" doc:"The WhatsApp Business Account's id" example:"102290129340398"`
	GraphVersion  string `json:"graph_version,omitempty" pattern:"^(v[0-9]{1,3}\\.[0-9]{1,2})?$" patternDescription:"a version such as v26.0" doc:"Default v26.0" example:"v26.0"`
	MessagesPath  string `json:"messages_path,omitempty" maxLength:"256" doc:"Where a gateway takes messages, below base_url, in place of Meta's own path; 360dialog: /messages" example:"/messages"`
	AuthHeader    string `json:"auth_header,omitempty" maxLength:"64" doc:"The header in which a gateway wants the bare access token, in place of Authorization: Bearer; 360dialog: D360-API-KEY" example:"D360-API-KEY"`
	Window        string `json:"window,omitempty" enum:"enforce,off" doc:"enforce (default): what is no template is not sent to somebody who is known not to have written in the last 24 hours. off: Meta decides"`
}
