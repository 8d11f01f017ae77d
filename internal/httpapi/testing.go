package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
)

const testText = "This is a test from Peal. If you can read it, the integration works."

// testIntegration sends through the whole pipeline, as any notification: what it proves is what users will get.
func (s *Server) testIntegration(ctx context.Context, in *testInput) (*testOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	found := s.cfg.Integrations.Find(tenantID, in.ID)
	if found == nil {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such integration"))
	}
	if in.Body.Text == "" {
		in.Body.Text = testText
	}
	out, err := s.test(ctx, found, &in.Body)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return out, nil
}

func (s *Server) test(ctx context.Context, in *peal.Integration, req *api.TestRequest) (*testOutput, error) {
	if in.Channel == peal.ChannelPush {
		return s.testPush(ctx, in, req)
	}
	switch {
	case req.Device != "":
		return nil, wrongField("device", "unsupported", "the integration reaches no devices; give to")
	case req.ValidateOnly:
		return nil, wrongField("validate_only", "unsupported", "its provider cannot be asked without sending; leave it out")
	case req.To == "":
		return nil, wrongField("to", "required", "give the phone number that gets the test, in E.164")
	}
	return s.sendTest(ctx, in, accept.Item{Request: &api.NotificationRequest{
		Recipient: api.Recipient{Phone: req.To}, Integration: in.ID, Content: api.Content{Text: &req.Text},
	}})
}

// testPush sends to one device, or asks the provider whether it would.
func (s *Server) testPush(ctx context.Context, in *peal.Integration, req *api.TestRequest) (*testOutput, error) {
	switch {
	case req.To != "":
		return nil, wrongField("to", "unsupported", "a push goes to a device; give device")
	case req.Device == "":
		return nil, wrongField("device", "required", "give the installation id of the device that gets the test")
	}
	d, err := s.cfg.Devices.Device(ctx, in.TenantID, req.Device)
	if peal.KindOf(err) == peal.NotFound {
		return nil, wrongField("device", "not_found", "there is no such device; its app registers it with PUT /v1/users/{id}/devices/{installation_id}")
	}
	if err != nil {
		return nil, err
	}
	if !s.cfg.Integrations.Serves(in, &d) {
		return nil, wrongField("device", "conflict", "the device does not go over this integration: it is of kind "+string(d.Kind)+", and of the app "+d.AppID)
	}
	content := api.Content{Push: &api.Push{Title: "Peal", Body: req.Text}}
	if !req.ValidateOnly {
		return s.sendTest(ctx, in, accept.Item{Device: &d, Request: &api.NotificationRequest{
			Recipient: api.Recipient{UserID: d.UserID}, Integration: in.ID, Content: content,
		}})
	}
	o, err := s.cfg.Integrations.Validate(ctx, in, &d, &content)
	if err != nil {
		return nil, err
	}
	return &testOutput{Status: http.StatusOK, Body: api.TestResult{
		Validation: &api.Validation{Class: string(o.Class), Code: o.Code, Reason: o.Reason},
	}}, nil
}

func (s *Server) sendTest(ctx context.Context, in *peal.Integration, item accept.Item) (*testOutput, error) {
	res, err := s.accept(ctx, in.TenantID, []accept.Item{item})
	if err == nil {
		err = res[0].Err
	}
	out := &testOutput{Status: http.StatusAccepted}
	if err == nil {
		err = json.Unmarshal(res[0].Answer, &out.Body)
	}
	return out, err
}

func wrongField(path, code, message string) error {
	return &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: []peal.Field{{Path: path, Code: code, Message: message}}}
}
