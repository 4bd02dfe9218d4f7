package walls

import "strings"

// hostileAnswers are what a module without grants answers its pages with.
var hostileAnswers = []struct{ name, body string }{
	{
		"a cover over all",
		`<div class="position-fixed top-0 start-0 vw-100 vh-100 z-3 bg-white">cover</div>`,
	},
	{
		"a modal that shows",
		`<div class="modal show d-block"><div class="modal-dialog"><div class="modal-content vh-100">cover</div></div></div>`,
	},
	{
		"an offcanvas that shows",
		`<div class="offcanvas offcanvas-top show vh-100">cover</div>`,
	},
	{
		"a stretched link",
		`<a class="stretched-link" href="/m/evil/echo">cover</a>`,
	},
	{
		"a popover",
		`<div popover id="x">cover</div><button popovertarget="x" class="btn">show</button>`,
	},
	{
		"a command that shows a dialog",
		`<dialog id="x" class="vw-100 vh-100">cover</dialog><button commandfor="x" command="show-modal">show</button>`,
	},
	{
		"a button that removes the banner",
		`<button class="btn" data-bs-dismiss="alert" data-bs-target=".switch-banner">remove</button>`,
	},
	{
		"an image named cookie",
		`<img name="cookie"><img name="body"><img name="querySelector"><img name="getElementById">`,
	},
	{
		"a form named querySelectorAll",
		`<form name="querySelectorAll"></form><form id="querySelector" name="documentElement"></form>`,
	},
	{
		"another countdown",
		`<span data-until="x" data-left="y" data-last="z">0</span><span data-countdown></span>`,
	},
	{
		"a dialog named changed",
		`<dialog id="changed"><span data-name></span></dialog><div id="changed">x</div>`,
	},
	{
		"a password field",
		`<form action="/m/evil/echo" method="post"><label>Your password <input type="password" name="p" autocomplete="current-password"></label><button>Go</button></form>`,
	},
	{
		"a banner of its own",
		`<section class="switch-banner"><form method="post" action="/session/restore"><button class="btn btn-warning btn-sm">Stop Impersonation</button></form></section>`,
	},
	{
		"a tooltip that holds a link",
		`<b data-bs-toggle="tooltip" data-bs-html="true" title="&lt;a href=//evil.example&gt;x&lt;/a&gt;">x</b>`,
	},
	{
		"a popover of Bootstrap's",
		`<b data-bs-toggle="popover" data-bs-html="true" data-bs-content="&lt;a href=//evil.example&gt;x&lt;/a&gt;" data-bs-trigger="hover">x</b>`,
	},
	{
		"a toast",
		`<div class="toast show position-fixed top-0 end-0 w-100 h-100">cover</div>`,
	},
	{
		"a toast container",
		`<div class="toast-container position-fixed vw-100 vh-100"><div class="toast show">cover</div></div>`,
	},
	{
		"a style attribute",
		`<div style="position:fixed;inset:0;z-index:99999;background:red">cover</div>`,
	},
	{
		"a style element",
		`<style>.module-page{position:fixed;inset:0;z-index:9999}.switch-banner{display:none}</style>x`,
	},
	{
		"a style within svg",
		`<svg><style>.switch-banner{display:none}</style></svg>x`,
	},
	{
		"a link to a style",
		`<link rel="stylesheet" href="/m/evil/echo?type=text/css&body=*{display:none}">x`,
	},
	{
		"a sticky bar",
		`<div class="sticky-top">cover</div><div class="fixed-top vh-100">cover</div><div class="fixed-bottom vh-100">cover</div>`,
	},
	{
		"an open dropdown",
		`<div class="dropdown"><div class="dropdown-menu show position-fixed top-0 w-100 vh-100">cover</div></div>`,
	},
	{
		"a bar of the host's",
		`<header class="navbar navbar-vertical navbar-expand-lg fixed-top vh-100 w-100">cover</header>`,
	},
	{
		"a page overlay",
		`<div class="page-cover-overlay page-cover-img">cover</div><div class="page-loader">cover</div>`,
	},
	{
		"a floating button",
		`<button class="btn btn-floating">cover</button>`,
	},
	{
		"a translated block",
		`<div class="position-absolute top-0 start-0 translate-middle vw-100 vh-100">cover</div>`,
	},
	{
		"negative margins",
		`<div class="mt-n5 ms-n5 m-n5">cover</div>`,
	},
	{
		"a long text that can't be broken",
		"<p>" + strings.Repeat("x", 4000) + "</p>",
	},
	{
		"a wide table",
		`<div class="table-responsive"><table class="table"><tr>` + strings.Repeat(`<td class="text-nowrap">wide wide wide</td>`, 40) + "</tr></table></div>",
	},
	{
		"a very long page",
		strings.Repeat("<p>long</p>", 3000),
	},
	{
		"an element in full screen",
		`<div class="vw-100 vh-100 overflow-visible" tabindex="0">cover</div>`,
	},
	{
		"a card that is stretched",
		`<div class="card"><a class="card-link stretched-link" href="/m/evil/">cover</a><div class="card-img-overlay">x</div></div>`,
	},
	{
		"a badge that leaves its place",
		`<span class="badge badge-notification badge-blink position-absolute top-0">9</span>`,
	},
	{
		"a ribbon and a stamp",
		`<div class="card"><div class="ribbon ribbon-top">x</div><div class="card-stamp"><div class="card-stamp-icon">x</div></div></div>`,
	},
	{
		"a skip link",
		`<a class="skip-link" href="#main">cover</a><a class="visually-hidden-focusable position-fixed" href="#main">cover</a>`,
	},
	{
		"a carousel",
		`<div class="carousel slide" data-bs-ride="carousel"><div class="carousel-item active vh-100">x</div></div>`,
	},
	{
		"a spinner over all",
		`<div class="dimmer active"><div class="loader"></div><div class="dimmer-content vh-100">x</div></div>`,
	},
	{
		"frames",
		`<iframe src="/session"></iframe><frame src="/session"><object data="/session"></object><embed src="/session"><portal src="/session"></portal>`,
	},
	{
		"a fenced frame",
		`<fencedframe src="/session"></fencedframe><webview src="/session"></webview>`,
	},
	{
		"collapses",
		`<button data-bs-toggle="collapse" data-bs-target=".switch-banner, .navbar">x</button>`,
	},
	{
		"tabs",
		`<button data-bs-toggle="tab" data-bs-target=".switch-banner">x</button><button data-bs-toggle="offcanvas" data-bs-target="#modal">y</button>`,
	},
	{
		"a modal trigger",
		`<button data-bs-toggle="modal" data-bs-target="#modal">x</button><button data-bs-toggle="modal" data-bs-target=".switch-banner">y</button>`,
	},
	{
		"a dismissal",
		`<button class="btn-close" data-bs-dismiss="modal">x</button><button data-bs-dismiss="toast" data-bs-target="body">y</button>`,
	},
	{
		"handlers",
		`<div onclick="document.body.replaceChildren()" onmouseover="document.body.replaceChildren()" ONFOCUS="document.body.replaceChildren()" tabindex=0>x</div>`,
	},
	{
		"an image that fails",
		`<img src="x" onerror="document.body.replaceChildren()"><img src="/m/evil/echo" onload="document.body.replaceChildren()">`,
	},
	{
		"scripts",
		`<script>document.body.replaceChildren()</script><script src="/m/evil/echo?type=text/javascript&body=document.body.replaceChildren()"></script><script type="module">document.body.replaceChildren()</script>`,
	},
	{
		"speculation and import maps",
		`<script type="speculationrules">{"prerender":[{"urls":["/session"]}]}</script><script type="importmap">{}</script>`,
	},
	{
		"a script within svg and math",
		`<svg onload="document.body.replaceChildren()"><script>document.body.replaceChildren()</script><a xlink:href="javascript:alert(1)"><text y="9">x</text></a></svg><math><maction actiontype="statusline" xlink:href="javascript:alert(1)">y</maction></math>`,
	},
	{
		"use and animate",
		`<svg><use href="/m/evil/echo#x"/><animate attributeName="href" values="javascript:alert(1)"/><set attributeName="onclick" to="alert(1)"/></svg>x`,
	},
	{
		"copying from the host",
		`<button data-copy="modal" data-copied="x">copy</button>`,
	},
	{
		"an upload of the host's",
		`<form data-upload action="/admin/modules/upload" method="post"><input type="file"><progress></progress><b data-progress></b></form>`,
	},
	{
		"a followed list",
		`<div data-follow data-new="#"><input type="checkbox"><i data-follow-said></i></div><div id="rows"><table><tr data-line="9"><td>x</td></tr></table></div>`,
	},
	{
		"a list's search",
		`<form data-list-search action="/admin/staff"><input class="list-term" name="q"></form>`,
	},
	{
		"keys of the host's",
		`<a href="/m/evil/" aria-keyshortcuts="Alt+Shift+X" accesskey="x">Stop</a>`,
	},
	{
		"htmx",
		`<div hx-get="/session" hx-trigger="load" hx-swap="outerHTML" hx-target="body">x</div><div data-hx-get="/session" data-hx-trigger="load">y</div>`,
	},
	{
		"other frameworks",
		`<div x-data x-init="alert(1)" v-on:click="alert(1)" @click="alert(1)" ng-app ng-init="alert(1)" :class="x" {{x}}>x</div>`,
	},
	{
		"names of the document",
		`<img name="location"><img name="forms"><img name="defaultView"><img name="head"><img name="addEventListener"><form name="createElement"></form><embed name="hidden"><object name="title"></object>`,
	},
	{
		"names of the window",
		`<a id="TomSelect"></a><a id="bootstrap"></a><a id="tabler"></a><a id="trustedTypes"></a><a id="fetch"></a><a id="modal"></a><a id="modal-content"></a><a id="review"></a><a id="rows"></a>`,
	},
	{
		"two of one name",
		`<a id="x"></a><a id="x" name="y" href="/m/evil/"></a><form id="x"><input name="y"></form>`,
	},
	{
		"names of a form's own",
		`<form method="post" action="/m/evil/echo"><input name="action" value="/admin/staff"><input name="method"><input name="elements"><input name="querySelector"><input name="submit"><input name="addEventListener"><input name="parentNode"><button name="enctype">x</button></form>`,
	},
	{
		"names of the prototype",
		`<img name="__proto__"><form name="constructor"><input name="__proto__"><input name="hasOwnProperty"></form><a id="toString"></a>`,
	},
	{
		"a select that breaks",
		`<form><select data-search-url="/m/evil/choices?body=x" data-search-with="addEventListener"><option value="&quot;&gt;&lt;b&gt;">&lt;img src=x&gt;</option></select><input name="addEventListener"><input name="querySelectorAll"></form>`,
	},
	{
		"a select within nothing",
		`<select data-search-url="/m/evil/choices" data-search-with="nothing"></select><select data-enhance multiple size="0"><optgroup label="&lt;b&gt;"><option>x</option></optgroup></select>`,
	},
	{
		"a base",
		`<base href="//evil.example/"><base target="_top">x`,
	},
	{
		"a meta",
		`<meta http-equiv="refresh" content="0;url=/session"><meta http-equiv="Content-Security-Policy" content="script-src *">x`,
	},
	{
		"a slot and a template",
		`<template shadowrootmode="open"><style>:host{position:fixed;inset:0}</style><slot></slot></template><slot name="x">x</slot>`,
	},
	{
		"a custom element",
		`<x-y is="z-z" onclick="alert(1)">x</x-y><button is="x-y">y</button>`,
	},
	{
		"links elsewhere",
		`<a href="https://evil.example">a</a><a href="//evil.example">b</a><a href="/\evil.example">c</a><a href="javascript:alert(1)">d</a><a href="data:text/html,x">e</a><a href="vbscript:x">f</a><a href=" jav&#x0A;ascript:alert(1)">g</a><a href="blob:x">h</a><a href="\\evil.example">i</a><a href="mailto:a@b.c">j</a>`,
	},
	{
		"links that ping",
		`<a href="/m/evil/" ping="/session" target="_blank" rel="opener" referrerpolicy="unsafe-url">a</a>`,
	},
	{
		"a map of links",
		`<img usemap="#m" src="/m/evil/echo"><map name="m"><area href="//evil.example" shape="default"></map>`,
	},
	{
		"forms elsewhere",
		`<form action="/session/restore" method="post"><button>a</button></form><form action="/m/evil/../../session/restore" method="post"><button>b</button></form><form action="//evil.example"><button>c</button></form><form action="/m/evil/%2e%2e/%2e%2e/session"><button>d</button></form><form action="/session/switch" method="post"><button>e</button></form>`,
	},
	{
		"buttons that lead elsewhere",
		`<form action="/m/evil/echo" method="post"><button formaction="/session/restore">a</button><input type="submit" formaction="/logout" value="b"><input type="image" src="/m/evil/echo" formaction="/logout"><button formtarget="_blank" formmethod="dialog">c</button></form>`,
	},
	{
		"a button for a form of the host's",
		`<button form="m" formaction="/m/evil/echo">a</button><input form="language" name="x">`,
	},
	{
		"fields for credentials",
		`<input autocomplete="username"><input autocomplete="one-time-code" inputmode="numeric"><input autocomplete="cc-number"><input autocomplete="section-a billing current-password webauthn"><textarea autocomplete="new-password"></textarea><select autocomplete="username"></select>`,
	},
	{
		"passwords by other spellings",
		`<input type="PASSWORD"><input type="pass&#119;ord"><input type="password " name="p"><input TYPE=password><input type="text" type="password">`,
	},
	{
		"images elsewhere",
		`<img src="https://evil.example/x.png"><img srcset="//evil.example/x.png 1x"><picture><source srcset="//evil.example/x"><img></picture><img src="/session"><img lowsrc="/session" dynsrc="/session" longdesc="/session">`,
	},
	{
		"media",
		`<video src="/session" poster="/session" autoplay></video><audio src="/session" autoplay></audio><track src="/session"><bgsound src="/session"><body background="/session"><table background="/session"><td background="/session">x</td></table>`,
	},
	{
		"more that loads",
		`<input type="image" src="/session"><isindex action="/session"><object data="/session" type="text/html"><param name="movie" value="/session"></object><applet code="x"></applet><link rel="prefetch" href="/session"><link rel="dns-prefetch" href="//evil.example">`,
	},
	{
		"editable and draggable",
		`<div contenteditable autofocus inputmode="none" draggable="true" spellcheck="true" enterkeyhint="go" virtualkeyboardpolicy="manual">x</div>`,
	},
	{
		"parts that pose as the page's",
		`<main id="main">a</main><header role="banner">b</header><nav class="navbar" role="navigation">c</nav><footer role="contentinfo">d</footer><div role="dialog" aria-modal="true">e</div><div role="alertdialog">f</div>`,
	},
	{
		"loud live regions",
		`<div aria-live="assertive" role="alert">a</div><div aria-owns="main" aria-activedescendant="modal" aria-flowto="main">b</div><label for="modal">c</label>`,
	},
	{
		"mXSS by math and style",
		`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	},
	{
		"mXSS by svg and p",
		`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
	},
	{
		"mXSS by noscript",
		`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	},
	{
		"mXSS by form",
		`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
	},
	{
		"mXSS by select",
		`<select><template><style><!--</style><a rel="--></style></template></select><img src=x onerror=alert(1)>">`,
	},
	{
		"mXSS by textarea",
		`<textarea><img title="</textarea><img src=x onerror=alert(1)>"></textarea>`,
	},
	{
		"mXSS by title and xmp",
		`<title><a title="</title><img src=x onerror=alert(1)>"></title><xmp><a title="</xmp><img src=x onerror=alert(1)>"></xmp>`,
	},
	{
		"mXSS by comments",
		`<!--><img src=x onerror=alert(1)>--><!--!><img src=x onerror=alert(2)>--!><img src=x><![CDATA[<img src=x onerror=alert(3)>]]><?php <img src=x onerror=alert(4)> ?>`,
	},
	{
		"mXSS by plaintext",
		`<p>a</p><plaintext><img src=x onerror=alert(1)></div></main></body>`,
	},
	{
		"mXSS by listing",
		"<listing>\n\n<img src=x onerror=alert(1)></listing><pre>\n\nx</pre>",
	},
	{
		"mXSS by foreign breakout",
		`<svg><foreignObject><p><math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math></foreignObject><desc><title><b>x`,
	},
	{
		"mXSS by attributes",
		"<p title=\"&lt;/p&gt;&lt;img src=x onerror=alert(1)&gt;\" lang=\"en\"x=\"`onerror=alert(1)`\" =y \"z'=1 a/b/c>x</p>",
	},
	{
		"mXSS by null and odd bytes",
		"<img src='x'\u000bonerror=alert(1)><scr\x00ipt>alert(1)</scr\x00ipt><p title='\x00\ufffd\u2028\u202e'>x</p>",
	},
	{
		"closing what is the host's",
		`</div></div></div></main></body></html><div id="after">x</div><form action="/session/restore" method="post"><button>Stop Impersonation</button></form>`,
	},
	{
		"opening what isn't closed",
		`<table><tr><td><form><b><i><a href="/m/evil/"><p><select><option>x<div><ul><li>y`,
	},
	{
		"formatting without end",
		strings.Repeat("<b><i><u><s>", 60) + strings.Repeat("x<p>", 60),
	},
	{
		"tables in links in tables",
		strings.Repeat(`<a href="/m/evil/"><table><a href="/m/evil/">`, 20),
	},
	{
		"deep nesting",
		strings.Repeat("<div>", 400) + "x",
	},
	{
		"ruby, details and their like",
		`<ruby>a<rt>b<rp>c</ruby><details open name="x"><summary>d</summary><p>e</details><hgroup><h2>f<h3>g</hgroup><search>h</search><menu><li>i</menu>`,
	},
	{
		"paragraphs that close themselves",
		`<p>a<div>b<p>c<section>d</p>e<h2>f<ul><p>g`,
	},
	{
		"only words",
		`just <words> & "quotes" < > &amp; &lt;script&gt;`,
	},
	{
		"nothing",
		``,
	},
}
