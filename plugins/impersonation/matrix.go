package main

import (
	"context"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

// noPermission is how the keys begin of every refusal for want of a permission.
const noPermission = "refused_no_"

// matrixView says role by role what comes of permissions and settings together.
type matrixView struct{ Rows []matrixRow }

// matrixRow is one role.
type matrixRow struct {
	Role  string
	Count int
	Few   bool // whether the count is known
	Cells []matrixCell
}

// matrixCell is one thing somebody of that role may do, or may not.
type matrixCell struct {
	Holds bool
	Text  string
}

// matrix asks the rules that decide about somebody of each role, administrators first.
func matrix(ctx context.Context, words sdk.Words, settings sdk.Settings) (matrixView, error) {
	roles, err := sdk.HostOf(ctx).Directory.Roles(ctx)
	if err != nil {
		return matrixView{}, err
	}
	somebody := func(administrator bool, capabilities []string) sdk.Account {
		return sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff}, Active: true, Administrator: administrator, Capabilities: capabilities}
	}
	v := matrixView{Rows: []matrixRow{{Role: words.T("administrators"), Cells: cells(words, settings, somebody(true, nil))}}}
	for _, role := range roles {
		v.Rows = append(v.Rows, matrixRow{
			Role: role.Name, Count: role.Members, Few: true, Cells: cells(words, settings, somebody(false, role.Capabilities)),
		})
	}
	v.Rows = append(v.Rows, matrixRow{Role: words.T("without_role"), Cells: cells(words, settings, somebody(false, nil))})
	return v, nil
}

func cells(words sdk.Words, settings sdk.Settings, account sdk.Account) []matrixCell {
	var all []matrixCell
	for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
		all = append(all, cell(words, kindRefusal(settings, account, kind)))
	}
	why := ""
	if !account.Administrator && !account.Can(mayViewLog) {
		why = noPermission
	}
	return append(all, cell(words, why))
}

func cell(words sdk.Words, refusal string) matrixCell {
	switch {
	case refusal == "":
		return matrixCell{Holds: true, Text: words.T("matrix_yes")}
	case strings.HasPrefix(refusal, noPermission):
		return matrixCell{Text: words.T("matrix_no_permission")}
	}
	return matrixCell{Text: words.T("matrix_settings")}
}
