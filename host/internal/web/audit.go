package web

import "github.com/understudy-crm/understudy/host/internal/app"

// auditView is what checking the Activity Log found.
type auditView struct {
	*Page
	Report app.AuditReport
	Chains []auditChainRow
	Faults []string
	Back   string
}

// auditChainRow is one chain of entries.
type auditChainRow struct {
	app.AuditChain
	Result string
}

func (v *visit) checkAudit() error {
	report, err := v.app.CheckAudit(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	view := auditView{Page: v.newPage(v.text("title_audit_check")), Report: report, Back: v.path("/admin/activity")}
	for _, c := range report.Chains {
		row := auditChainRow{c, v.text("audit_ok")}
		if c.Fault != nil {
			row.Result = v.auditFault(*c.Fault)
		}
		view.Chains = append(view.Chains, row)
	}
	for _, f := range report.Faults {
		view.Faults = append(view.Faults, v.auditFault(f))
	}
	return v.show("audit_check", view)
}

func (v *visit) auditFault(f app.AuditFault) string {
	kind := f.Kind
	if f.Chain == "" && f.ID == 0 {
		kind = "old_" + kind
	}
	return v.text("audit_fault_"+kind, "Chain", f.Chain, "Seq", f.Seq, "ID", f.ID)
}
