// Impersonation lets staff become another staff member or a customer's contact, and come back.
package main

import "github.com/understudy-crm/understudy/sdk"

func main() { sdk.Serve(impersonation()) }
