package module

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// SendNotice tells somebody something in the module's words, in the name of who asked for the page.
func (s *hostServices) SendNotice(ctx context.Context, q *modulev1.SendNoticeRequest) (*modulev1.SendNoticeResponse, error) {
	r := s.running
	if !r.texts.Load().has(q.GetTextKey()) {
		return nil, status.Errorf(codes.InvalidArgument, "languages/en.json has no message %q", printable(q.GetTextKey()))
	}
	if !r.added.Load().hasPage(q.GetPage()) {
		return nil, status.Errorf(codes.InvalidArgument, "there is no declared page %q", printable(q.GetPage()))
	}
	who, err := r.asker(q.GetRequestId())
	if err != nil {
		return nil, err
	}
	notice := crm.AccountNotice{TextKey: q.GetTextKey(), Args: q.GetArgs(), Mail: q.GetMail()}
	area := crm.Admin
	if q.GetAccount() != nil {
		key, err := keyFromWire(q.GetAccount())
		if err != nil {
			return nil, err
		}
		notice.To = key
		if !q.GetAdministrators() {
			area = key.Kind.Area()
		}
	}
	notice.Page = crm.ModulePage(area, r.manifest.ID, q.GetPage())
	return &modulev1.SendNoticeResponse{}, s.app.SendNotice(ctx, who, r.manifest.ID, notice, q.GetAdministrators())
}
