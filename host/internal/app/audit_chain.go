package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// AuditMark is a place in a chain of entries with the seal it had: kept elsewhere, it shows later
// that nothing up to there was changed. As text it is "chain:number:seal".
type AuditMark struct {
	Chain string
	Seq   int64
	Seal  string
}

// String is the mark as text.
func (m AuditMark) String() string {
	return m.Chain + ":" + strconv.FormatInt(m.Seq, 10) + ":" + m.Seal
}

// ParseAuditMark reads what String made, Invalid audit_mark_invalid otherwise.
func ParseAuditMark(text string) (AuditMark, error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	if len(parts) == 3 && parts[0] != "" && len(parts[2]) == 64 {
		if seq, err := strconv.ParseInt(parts[1], 10, 64); err == nil && seq > 0 {
			return AuditMark{parts[0], seq, strings.ToLower(parts[2])}, nil
		}
	}
	return AuditMark{}, crm.Refuse(crm.Invalid, "audit_mark_invalid", "Mark", crm.Cut(text, 100))
}

// What can be wrong with a chain.
const (
	AuditAltered  = "altered"  // the entry, or the one before it, isn't what was written
	AuditRemoved  = "removed"  // an entry is missing there
	AuditInserted = "inserted" // an entry stands there that was never written
	AuditReplaced = "replaced" // it isn't what it was when the mark was taken
)

// AuditFault is the first thing wrong with a chain.
type AuditFault struct {
	Chain string // empty for what was written before there were chains
	Kind  string
	Seq   int64 // the place in the chain, 0 where it has none
	ID    int64 // of the entry, 0 when there is none
}

// AuditChain is a chain as it was found.
type AuditChain struct {
	Head    AuditMark
	Entries int64
	Dropped int64 // for their age
	Fault   *AuditFault
}

// AuditReport is what checking the Activity Log found.
type AuditReport struct {
	Chains   []AuditChain
	Unsealed int64 // entries from before there were chains; of them only the number is known
	Faults   []AuditFault
}

// Intact tells that nothing is wrong.
func (r AuditReport) Intact() bool { return len(r.Faults) == 0 }

// CheckAudit goes through the whole Activity Log and finds the first entry of each chain that was
// altered, removed or inserted; of marks taken earlier it says whether they still hold. Entries
// written meanwhile are left for the next time. It is for administrators.
func (a *App) CheckAudit(ctx context.Context, who crm.Who, marks ...AuditMark) (AuditReport, error) {
	if err := a.allowAdministrator(who, crm.ReadRoute); err != nil {
		return AuditReport{}, err
	}
	read := a.store.Read()
	heads, err := read.AuditHeads(ctx)
	for err == nil {
		var r AuditReport
		if r, err = checkChains(ctx, read, heads, marks); err != nil || r.Intact() {
			return r, err
		}
		before := heads
		if heads, err = read.AuditHeads(ctx); err != nil || slices.EqualFunc(before, heads, sameBeginning) {
			return r, err
		}
		// Entries were dropped for their age meanwhile: look again.
	}
	return AuditReport{}, err
}

func sameBeginning(a, b store.AuditHead) bool {
	return a.Chain == b.Chain && a.FromSeq == b.FromSeq && (a.Chain != "" || a.Seq == b.Seq)
}

func checkChains(ctx context.Context, read store.Tx, heads []store.AuditHead, marks []AuditMark) (r AuditReport, err error) {
	for _, head := range heads {
		if head.Chain == "" {
			if err := checkUnsealed(ctx, read, head, &r); err != nil {
				return r, err
			}
			continue
		}
		chain, err := checkChain(ctx, read, head, marks)
		if err != nil {
			return r, err
		}
		r.Chains = append(r.Chains, chain)
		if chain.Fault != nil {
			r.Faults = append(r.Faults, *chain.Fault)
		}
	}
	stray, err := read.StrayEntry(ctx)
	if stray > 0 {
		r.Faults = append(r.Faults, AuditFault{Kind: AuditInserted, ID: stray})
	}
	for _, m := range marks {
		i := slices.IndexFunc(r.Chains, func(c AuditChain) bool { return c.Head.Chain == m.Chain })
		if i < 0 || m.Seq > r.Chains[i].Head.Seq {
			r.Faults = append(r.Faults, AuditFault{Chain: m.Chain, Kind: AuditRemoved, Seq: m.Seq})
		}
	}
	return r, err
}

func checkUnsealed(ctx context.Context, read store.Tx, head store.AuditHead, r *AuditReport) error {
	count, late, err := read.UnsealedEntries(ctx, head.FromSeq)
	r.Unsealed = count
	if late > 0 {
		r.Faults = append(r.Faults, AuditFault{Kind: AuditInserted})
	}
	if count-late < head.Seq {
		r.Faults = append(r.Faults, AuditFault{Kind: AuditRemoved})
	}
	return err
}

// auditBatch is how many entries are held in memory at a time.
const auditBatch = 1000

// checkChain goes along a chain up to its head as it was at the beginning.
func checkChain(ctx context.Context, read store.Tx, head store.AuditHead, marks []AuditMark) (AuditChain, error) {
	c := AuditChain{Head: AuditMark{head.Chain, head.Seq, head.Seal}, Dropped: head.FromSeq}
	seq, last := head.FromSeq, head.FromSeal
	c.Fault = markFault(marks, head.Chain, seq, last, 0)
	for seq < head.Seq && c.Fault == nil {
		entries, err := read.SealedEntries(ctx, head.Chain, seq, auditBatch)
		if err != nil {
			return c, err
		}
		if len(entries) == 0 {
			c.Fault = &AuditFault{head.Chain, AuditRemoved, seq + 1, 0}
		}
		for _, e := range entries {
			if seq == head.Seq || c.Fault != nil {
				break
			}
			c.Fault = linkFault(head.Chain, seq, last, e, marks)
			seq, last = e.Seq, e.Seal
			c.Entries++
		}
	}
	if c.Fault == nil && last != head.Seal {
		c.Fault = &AuditFault{head.Chain, AuditAltered, seq, 0}
	}
	if c.Fault != nil {
		return c, nil
	}
	n, err := read.SealedCount(ctx, head.Chain, head.FromSeq, head.Seq)
	if err == nil && n > c.Entries {
		c.Fault = &AuditFault{head.Chain, AuditInserted, 0, 0}
	}
	return c, err
}

func linkFault(chain string, seq int64, last string, e store.SealedEntry, marks []AuditMark) *AuditFault {
	switch {
	case e.Seq <= seq:
		return &AuditFault{chain, AuditInserted, e.Seq, e.ID}
	case e.Seq != seq+1:
		return &AuditFault{chain, AuditRemoved, seq + 1, 0}
	case e.Follows(chain, last) != e.Seal:
		return &AuditFault{chain, AuditAltered, e.Seq, e.ID}
	}
	return markFault(marks, chain, e.Seq, e.Seal, e.ID)
}

func markFault(marks []AuditMark, chain string, seq int64, seal string, id int64) *AuditFault {
	for _, m := range marks {
		if m.Chain == chain && m.Seq == seq && m.Seal != seal {
			return &AuditFault{chain, AuditReplaced, seq, id}
		}
	}
	return nil
}

// AuditHeads are the ends of the chains as they are now, to be kept where who can change the
// database can't.
func (a *App) AuditHeads(ctx context.Context) ([]AuditMark, error) {
	heads, err := a.store.Read().AuditHeads(ctx)
	var marks []AuditMark
	for _, h := range heads {
		if h.Chain != "" {
			marks = append(marks, AuditMark{h.Chain, h.Seq, h.Seal})
		}
	}
	return marks, err
}

// sweepAudit drops entries older than the setting says, from the beginning of each chain, and notes
// that it did.
func (a *App) sweepAudit(ctx context.Context, tx store.Tx, now time.Time) error {
	days, err := a.auditDays(ctx)
	if err != nil || days <= 0 {
		return err
	}
	heads, err := tx.AuditHeads(ctx)
	if err != nil {
		return err
	}
	before, dropped := now.AddDate(0, 0, -days), int64(0)
	for _, h := range heads {
		n, err := dropOld(ctx, tx, h, before)
		if err != nil {
			return err
		}
		dropped += n
	}
	if dropped == 0 {
		return nil
	}
	return a.audit(tx, crm.Who{}, "activity_dropped", "", map[string]string{"entries": strconv.FormatInt(dropped, 10), "days": strconv.Itoa(days)})
}

// auditDays is for how many days the Activity Log is kept, 0 for ever.
func (a *App) auditDays(ctx context.Context) (int, error) {
	values, err := a.Settings(ctx, "security")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(values["audit_days"])
}

// dropOld drops the beginning of a chain, up to the first entry that is young enough.
func dropOld(ctx context.Context, tx store.Tx, h store.AuditHead, before time.Time) (int64, error) {
	if h.Chain == "" {
		return tx.DropUnsealed(ctx, before)
	}
	entries, err := tx.SealedEntries(ctx, h.Chain, h.FromSeq, auditBatch)
	if err != nil {
		return 0, err
	}
	young := slices.IndexFunc(entries, func(e store.SealedEntry) bool { return !e.At.Before(before) })
	if young < 0 {
		young = len(entries)
	}
	if young == 0 {
		return 0, nil
	}
	return int64(young), tx.DropAudits(ctx, h.Chain, entries[young-1])
}
