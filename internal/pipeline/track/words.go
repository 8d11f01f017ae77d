package track

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"peal/internal/peal"
)

// The words that stand for a wish where an integration names none of its own, as plain makes them. They are whole messages:
// "stop" opts out, "stop by at nine" does not. Short ones that are answers to other questions (no, end, yes) are left out.
const (
	stopWords = `stop|stopall|stop all|stop it|stop messages|please stop|unsubscribe|unsubscribe me|opt out|optout|cancel subscription|remove me|
		quit|no more messages|do not message me|dont message me|
		parar|pare|baja|dar de baja|darme de baja|cancelar suscripcion|no mas mensajes|alto|detener|
		sair|cancelar inscricao|descadastrar|pare de enviar|nao quero mais|remover|
		arret|arreter|arretez|desabonner|desinscrire|se desabonner|me desabonner|desinscription|
		stopp|abmelden|abbestellen|austragen|keine nachrichten|keine nachrichten mehr|
		रोकें|रोको|बंद करें|बंद करो|बंद|सदस्यता समाप्त|संदेश बंद करें|
		توقف|إيقاف|ايقاف|الغاء الاشتراك|إلغاء الاشتراك|اوقف|أوقف|
		berhenti|stop pesan|hentikan|batal langganan|berhenti berlangganan|
		stoppen|afmelden|uitschrijven|
		fermare|ferma|annulla iscrizione|disiscrivimi|cancellami|
		стоп|отписаться|отписка|отмена подписки|
		dur|durdur|abonelikten cik|ret|
		停止|退订|退訂|取消订阅|取消訂閱|配信停止|해지|수신거부|중지|
		หยุด|ยกเลิกการรับ|dừng|hủy đăng ký|dung|huy dang ky|
		বন্ধ|বন্ধ করুন|நிறுத்து|ఆపు|बंद करा|રોકો|ਬੰਦ ਕਰੋ|روکیں|بند کریں|توقف ارسال|لغو اشتراک|komesha`
	// Templates have buttons with these: whoever taps one wants no marketing, and their parcel's news all the same.
	promoWords = `stop promotions|stop promotion|stop promo|stop marketing|stop marketing messages|stop offers|no promotions|
		detener promociones|parar promociones|no mas promociones|parar promocoes|interromper promocoes|sem promocoes|
		arreter les promotions|stop promotions|stop aux promotions|werbung stoppen|keine werbung|stop promosi|hentikan promosi|
		प्रमोशन रोकें|प्रमोशन बंद करें|إيقاف العروض|ايقاف العروض|إيقاف العروض الترويجية|stop promozioni`
	startWords = `start|unstop|subscribe|resubscribe|opt in|optin|start messages|
		empezar|iniciar|reanudar|suscribir|suscribirme|comecar|inscrever|
		commencer|demarrer|reprendre|reabonner|starten|anmelden|abonnieren|
		शुरू|शुरू करें|सदस्यता लें|ابدأ|ابدا|اشتراك|اشترك|mulai|langganan|berlangganan|aanmelden|inizia|iscrivimi|
		старт|подписаться|başla|basla|abone ol|开始|開始|订阅|訂閱|配信再開|시작|수신동의|เริ่ม|bắt đầu|bat dau|শুরু|anza`
)

// wishes are what words stand for, as plain makes them.
type wishes struct{ stop, promo, start []string }

func known() wishes { return wishes{words(stopWords), words(promoWords), words(startWords)} }

// theWords are the known ones, made once.
var theWords = known()

func words(table string) []string {
	all := strings.Split(table, "|")
	for i, w := range all {
		all[i] = plain(w)
	}
	slices.Sort(all)
	return all
}

// plain makes texts alike that say the same: without accents, case, and marks around it, with single spaces.
func plain(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.Is(unicode.Mc, r):
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’':
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// maxWish is how long a message may be that is looked at: those that stand for a wish are short.
const maxWish = 100

// meant is the wish that a message stands for; nil when it stands for none.
func meant(in *peal.Integration, m *peal.Inbound) *peal.Consent {
	if m.Sender() == "" {
		return nil
	}
	switch m.Type {
	case "text", "button", "interactive", "unknown":
	default:
		return nil
	}
	c := &peal.Consent{
		TenantID: in.TenantID, IntegrationID: in.ID, Contact: m.Sender(), Channel: in.Channel, Source: peal.ConsentByMessage, At: m.At,
	}
	if m.From != "" {
		c.Other = m.FromUserID
	}
	for _, text := range [...]string{m.Text, payload(m)} {
		if text == "" || len(text) > maxWish {
			continue
		}
		if c.Category, c.State = wish(in, plain(text)); c.State != "" {
			c.Keyword = text
			return c
		}
	}
	return nil
}

func wish(in *peal.Integration, text string) (category string, state peal.ConsentState) {
	has := func(list, own []string) bool {
		if own == nil {
			_, found := slices.BinarySearch(list, text)
			return found
		}
		return slices.ContainsFunc(own, func(w string) bool { return plain(w) == text })
	}
	switch {
	case text == "":
	case has(theWords.stop, in.StopWords):
		return peal.CategoryAll, peal.OptedOut
	case in.StopWords == nil && has(theWords.promo, nil):
		return peal.CategoryMarketing, peal.OptedOut
	case has(theWords.start, in.StartWords):
		return peal.CategoryAll, peal.OptedIn
	}
	return "", ""
}

// payload is what a button stands for by its maker's word.
func payload(m *peal.Inbound) string {
	if m.Type != "button" && m.Type != "interactive" {
		return ""
	}
	var p struct {
		Payload string `json:"payload"`
		Button  struct {
			ID string `json:"id"`
		} `json:"button_reply"`
		List struct {
			ID string `json:"id"`
		} `json:"list_reply"`
	}
	if json.Unmarshal(m.Content, &p) != nil {
		return ""
	}
	return p.Payload + p.Button.ID + p.List.ID
}
