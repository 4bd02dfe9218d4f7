package app

// Tell and TellAdministrators let the stories outside this package have something told.
var (
	Tell               = (*App).tell
	TellAdministrators = (*App).tellAdministrators
)
