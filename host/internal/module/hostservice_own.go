package module

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// What a module can reach of its own: settings, values, languages, contributions. None needs a
// grant, and none can name another module.

// GetSettings returns every declared setting.
func (s *hostServices) GetSettings(context.Context, *modulev1.GetSettingsRequest) (*modulev1.GetSettingsResponse, error) {
	return &modulev1.GetSettingsResponse{Settings: maps.Clone(*s.running.values.Load())}, nil
}

// GetValue reads a value.
func (s *hostServices) GetValue(ctx context.Context, q *modulev1.GetValueRequest) (*modulev1.GetValueResponse, error) {
	if err := checkKey(q.GetKey()); err != nil {
		return nil, err
	}
	value, err := s.running.own.value(ctx, q.GetKey())
	if err != nil {
		return nil, err
	}
	return &modulev1.GetValueResponse{Value: value}, nil
}

// PutValue writes a value within the quota.
func (s *hostServices) PutValue(ctx context.Context, q *modulev1.PutValueRequest) (*modulev1.PutValueResponse, error) {
	if err := checkKey(q.GetKey()); err != nil {
		return nil, err
	}
	value := q.GetValue()
	if value == nil {
		value = []byte{} // an empty value is a value
	}
	return &modulev1.PutValueResponse{}, s.running.own.put(ctx, q.GetKey(), value)
}

// DeleteValue removes a value.
func (s *hostServices) DeleteValue(ctx context.Context, q *modulev1.DeleteValueRequest) (*modulev1.DeleteValueResponse, error) {
	if err := checkKey(q.GetKey()); err != nil {
		return nil, err
	}
	return &modulev1.DeleteValueResponse{}, s.running.own.remove(ctx, q.GetKey())
}

// ListKeys lists keys in order.
func (s *hostServices) ListKeys(ctx context.Context, q *modulev1.ListKeysRequest) (*modulev1.ListKeysResponse, error) {
	keys, err := s.running.own.keys(ctx, q.GetPrefix(), q.GetAfter(), bounded(q.GetLimit(), 100, 1000))
	if err != nil {
		return nil, err
	}
	return &modulev1.ListKeysResponse{Keys: keys}, nil
}

func checkKey(key string) error {
	if key == "" || len(key) > 256 {
		return status.Error(codes.InvalidArgument, "the key must have 1 to 256 bytes")
	}
	return nil
}

// ListLanguages lists every language the module has, all layers merged.
func (s *hostServices) ListLanguages(context.Context, *modulev1.ListLanguagesRequest) (*modulev1.ListLanguagesResponse, error) {
	revision := s.running.languages.Load() // before the texts: rather an old number on new texts than the reverse
	t := s.running.texts.Load()
	answer := &modulev1.ListLanguagesResponse{Revision: revision}
	for _, tag := range t.tags() {
		complete := 0
		for key := range t.byTag[english] {
			if t.byTag[tag][key] != "" {
				complete++
			}
		}
		answer.Languages = append(answer.Languages, &modulev1.Language{
			Tag: tag, Messages: t.byTag[tag], Uploaded: t.uploaded[tag], Complete: int32(complete),
		})
	}
	return answer, nil
}

// PutLanguage takes an uploaded language file from somebody who may change settings.
func (s *hostServices) PutLanguage(ctx context.Context, q *modulev1.PutLanguageRequest) (*modulev1.PutLanguageResponse, error) {
	asking, err := s.asking(q.GetRequestId())
	if err != nil {
		return nil, err
	}
	tag, err := cleanTag(q.GetTag())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	messages, err := parseMessages(q.GetFile())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	answer := &modulev1.PutLanguageResponse{}
	known := s.running.texts.Load().byTag[english]
	for _, key := range slices.Sorted(maps.Keys(messages)) {
		if _, ok := known[key]; !ok {
			answer.UnknownKeys = append(answer.UnknownKeys, key)
			delete(messages, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if messages[key] == "" {
			answer.MissingKeys = append(answer.MissingKeys, key)
		}
	}
	file, err := json.Marshal(messages)
	if err != nil {
		return nil, err
	}
	if err := s.app.PutModuleLanguage(ctx, asking.who, s.running.manifest.ID, tag, file); err != nil {
		return nil, err
	}
	s.languagesChanged(ctx)
	return answer, nil
}

// DeleteLanguage removes an uploaded language file.
func (s *hostServices) DeleteLanguage(ctx context.Context, q *modulev1.DeleteLanguageRequest) (*modulev1.DeleteLanguageResponse, error) {
	asking, err := s.asking(q.GetRequestId())
	if err != nil {
		return nil, err
	}
	tag, err := cleanTag(q.GetTag())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := s.app.DeleteModuleLanguage(ctx, asking.who, s.running.manifest.ID, tag); err != nil {
		return nil, err
	}
	s.languagesChanged(ctx)
	return &modulev1.DeleteLanguageResponse{}, nil
}

// asking finds the person behind a change, who must have posted something: a GET changes nothing.
func (s *hostServices) asking(requestID string) (asking, error) {
	a, ok := s.running.asks(requestID)
	if !ok || !a.unsafe {
		return asking{}, status.Error(codes.FailedPrecondition, "only within a POST to one of the module's pages")
	}
	return a, nil
}

func (s *hostServices) languagesChanged(ctx context.Context) {
	u := s.running.manager.known(s.running.manifest.ID)
	if u != nil && u.loadTexts(ctx, s.running) {
		s.running.manager.recompile()
	}
}

// Publish replaces the contributions, checked like the first ones. Capabilities stay as they were.
func (s *hostServices) Publish(_ context.Context, q *modulev1.PublishRequest) (*modulev1.PublishResponse, error) {
	r := s.running
	added, err := compile(r.manifest, r.texts.Load(), r.manager.icons, q.GetContributions())
	if err != nil {
		r.log.add("warn", "refused: publish: "+err.Error(), "")
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if !slices.Equal(added.capabilities, r.added.Load().capabilities) {
		return nil, status.Error(codes.InvalidArgument, "capabilities can't change while the module runs")
	}
	values := added.fill(*r.values.Load())
	r.added.Store(added)
	r.values.Store(&values)
	r.manager.recompile()
	return &modulev1.PublishResponse{}, nil
}
