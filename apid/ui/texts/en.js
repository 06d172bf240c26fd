// SPDX-License-Identifier: GPL-3.0-or-later
// All that people read. Another language: a file like this one, named in app/text.js.
// {n} is a number, put in as the language writes it; where the text depends on it, {one, other}.

export default {
	/* everywhere */
	"skip": "Skip to content", "close": "Close", "cancel": "Cancel", "save": "Save", "saved": "Saved", "done": "Done", "edit": "Edit", "copy": "Copy", "copied": "Copied", "download": "Download",
	"undo": "Undo", "undone": "Undone", "yes": "Yes", "no": "No", "none": "None", "never": "never", "now": "just now", "unknown": "unknown", "online": "Online", "offline": "Offline", "actions": "Actions",
	"search": "Search", "search.in": "Search in {what}", "loading": "Loading", "theme": "Switch between dark and light", "logout": "Log out", "inherits": "Inherits",
	"away": "The gateway does not answer. Trying again …", "until": "until {time}",
	"remove": "Remove", "remove.title": "Remove {name}?", "remove.label": "Remove {name}", "removed": "{name} was removed",
	"switched.on": "{name}: on", "switched.off": "{name}: off",
	"count.rows": { one: "{n} entry", other: "{n} entries" }, "count.windows": { one: "{n} window", other: "{n} windows" },
	"table.nothing": "Nothing fits", "table.nothing.about": "No entry has what you look for. Change the search or the filter.", "table.of": "{some} of {all}",
	"failed.title": "This could not be loaded", "failed.missing": "There is no such thing", "failed.forbidden": "Your account may not see this", "failed.mistake": "Something unexpected happened in this page.", "failed.retry": "Try again",
	"failed.page": "There is no such page.", "failed.version": "A new version of these pages is there. Load them again.",
	"problem.0": "The gateway does not answer. Is the network up?", "problem.401": "Your session has ended. Log in again.", "problem.403": "Your account may not do that.", "problem.404": "There is no such record.", "problem.409": "That exists already.",
	"problem.412": "Somebody else has changed it meanwhile. Load it again.", "problem.changed": "Somebody else has changed it meanwhile. Close this, load it again and repeat your change.", "problem.429": "Too many requests. Wait a little.", "problem.503": "The gateway cannot do that at the moment. Try again.", "problem.other": "The gateway answered with an error ({status}).",
	"secret.kept": "I have kept it",

	/* frame */
	"nav.label": "Pages", "nav.open": "Open the menu",
	"nav.group.look": "Look", "nav.group.people": "People", "nav.group.filter": "Filter", "nav.group.act": "Act", "nav.group.system": "System",
	"nav.overview": "Overview", "nav.live": "Live", "nav.report": "Traffic", "nav.devices": "Devices", "nav.users": "Users", "nav.groups": "Groups", "nav.lists": "Lists", "nav.websites": "Websites", "nav.words": "Words", "nav.dns": "DNS", "nav.firewall": "Firewall",
	"nav.appeals": "Appeals", "nav.explain": "Explain", "nav.sync": "Sync", "nav.audit": "Audit", "nav.accounts": "Accounts", "nav.keys": "Sessions & tokens", "nav.settings": "Settings", "nav.health": "Health",
	"role.owner": "Owner", "role.admin": "Admin", "role.helper": "Helper", "role.viewer": "Viewer",
	"keys.title": "Keys", "keys.search": "Search in this page", "keys.new": "Something new", "keys.help": "This list", "keys.go": "Go to {page}",

	/* log in */
	"login.title": "Log in", "login.user": "User name", "login.password": "Password", "login.submit": "Log in", "login.empty": "Type a name and a password.", "login.wrong": "Name or password is wrong.",
	"login.code": "One-time code", "login.code.about": "Type the six digits that your app shows, or a recovery code.", "login.wrong.code": "The code is wrong, or was used already.", "login.wait": { one: "Too many tries. Wait a second.", other: "Too many tries. Wait {n} seconds." },
	"login.again": "Log in again", "login.again.about": "Your session has ended. What you were at stays as it is.",

	/* overview */
	"overview.title": "Overview", "overview.about": "What goes on behind this gateway.", "overview.devices": "Devices", "overview.devices.on": { one: "{n} may connect", other: "{n} may connect" }, "overview.new": "Without a key", "overview.new.some": "wait to be set up", "overview.new.none": "all are set up",
	"overview.changes": "Latest changes", "overview.changes.all": "All", "overview.changes.none": "Nothing was changed yet",

	/* devices */
	"devices.title": "Devices", "devices.about": "Every phone and computer that connects through this gateway.", "devices.new": "Add device", "devices.any": "Any state", "devices.empty": "No devices yet", "devices.empty.about": "Add one: give it a name, scan the code with the WireGuard app, and it is connected.",
	"device.on": "Active", "device.off": "Suspended", "device.expired": "Expired", "device.new": "No key yet", "device.new.about": "This device cannot connect until it has a key.",
	"device.tab.overview": "Overview", "device.tab.policy": "Policy", "device.tab.sites": "Unblocked", "device.tab.activity": "Activity", "device.tabs": "Parts of this device",
	"device.suspend": "Suspend", "device.resume": "Resume", "device.suspended": "{name} is suspended", "device.resumed": "{name} is active again", "device.remove": "It loses its connection at once; its keys and tokens go with it. This cannot be undone.",
	"device.status": "Connection now", "device.entitled": "May connect", "device.online": "State", "device.handshake": "Last handshake", "device.endpoint": "Comes from", "device.sent": "Traffic",
	"device.connection": "Set up", "device.token": "New device token", "device.token.about": "With this token the device reads its own document. It is shown once.", "device.tokens.end": "End tokens and links", "device.tokens.about": "Programs on the device must enrol again.", "device.tokens.ended": "Tokens and links have ended",
	"device.about": "About", "device.edit": "Change device", "device.policy": "Policy", "device.switches": "Switches", "device.lists": "Lists", "device.lists.none": "There are no lists yet.",
	"reason.inactive": "Suspended", "reason.expired": "Expired",
	"add.title": "Add a device", "add.about": "Give it a name. The next step shows the code to scan.", "add.do": "Add", "add.more": "More", "add.name.example": "Anna’s phone", "add.group.none": "No group",
	"config.title": "Connect {name}", "config.qr": "QR code of the WireGuard configuration", "config.scan": "In the WireGuard app: add a tunnel, scan this code.", "config.file": "WireGuard configuration", "config.download": "Save as file", "config.once.here": "The private key was made in this browser and is kept nowhere. It is shown once.", "config.once.there": "The private key was made on the gateway, since this browser cannot, and is not kept. It is shown once.",
	"config.get": "Configuration and QR code", "config.renew": "Make new keys?", "config.renew.about": "The device has a key. With new ones its present configuration stops working at once.", "config.renew.do": "Make new keys",
	"enrol.get": "Enrolment link", "enrol.title": "Enrolment link", "enrol.about": "Opened on the device, it connects it. Good once, for 24 hours; the key is made on the device.", "enrol.qr": "QR code of the enrolment link",
	"override.title": "Websites let through or blocked for this device", "override.new": "Unblock a website", "override.do": "Do it", "override.made": "In force at once", "override.empty": "Nothing is unblocked", "override.empty.about": "What you let through here for a while goes before lists and categories.",
	"until.15m": "15 minutes", "until.1h": "1 hour", "until.4h": "4 hours", "until.1d": "1 day", "until.ever": "For good",
	"verdict.allow": "Allowed", "verdict.deny": "Blocked", "verdict.unknown": "Not reviewed",

	/* policy */
	"policy.about": "What is not set here comes from the group, then from the settings for all devices.", "policy.web": "Websites", "policy.network": "Network", "policy.times": "Times", "policy.inherits": "All inherited",
	"schedule.one": "A time at which it is blocked", "schedule.what": "What is blocked", "schedule.from": "From", "schedule.to": "To", "schedule.add": "Add a time", "schedule.remove": "Remove this time", "schedule.all": "Everything", "schedule.list": "List {name}", "schedule.category": "Category {name}",
	"day.mon": "Mon", "day.tue": "Tue", "day.wed": "Wed", "day.thu": "Thu", "day.fri": "Fri", "day.sat": "Sat", "day.sun": "Sun",
	"safe_search.own": "Set here", "safe_search.google": "Google", "safe_search.bing": "Bing", "safe_search.duckduckgo": "DuckDuckGo", "safe_search.youtube": "YouTube", "safe_search.youtube.strict": "strict", "safe_search.youtube.moderate": "moderate", "safe_search.youtube.off": "off",
	"switch.offline_browser": "No browsing", "switch.offline_browser.about": "The proxy answers with a page; apps go on.", "switch.offline_vpn": "No apps", "switch.offline_vpn.about": "Nothing but the browser’s proxy goes on.",

	/* fields */
	"field.name": "Name", "field.id": "Id", "help.id": "Made from the name if you leave it empty. It never changes.", "field.group": "Group", "field.user": "User", "field.expires_at": "Expires", "field.addresses": "Addresses", "help.device.addresses": "One a line. Empty: free ones are given.", "field.subscription": "Subscription", "field.tunnel": "Tunnel", "field.public_key": "Public key",
	"field.unknown_sites": "Unknown websites", "choice.unknown_sites.block": "Block", "choice.unknown_sites.pass": "Let through",
	"field.site_scope": "Website rules act on", "choice.site_scope.browser": "The browser’s proxy", "choice.site_scope.all": "All apps",
	"field.images": "Images", "choice.images.hide": "Hide", "choice.images.show": "Show", "field.words": "Masked words", "choice.words.hide": "Mask", "choice.words.show": "Show",
	"field.safe_search": "Safe search", "field.profile": "Firewall profile", "choice.profile.full": "Full", "choice.profile.internet": "Internet only", "choice.profile.intranet": "Local network only", "choice.profile.walled": "Walled",
	"field.egress": "Outgoing ports", "choice.egress.off": "All", "choice.egress.deny_tunnels": "No VPN or Tor", "choice.egress.web": "Web only", "field.strict": "Only resolved addresses", "field.v6": "IPv6", "field.quota_bytes": "Quota (GB)", "field.rate_kbit": "Speed limit (Mbit/s)",
	"field.schedules": "Blocked at times", "field.time_zone": "Time zone", "field.privacy": "What is recorded", "choice.privacy.full": "Full addresses", "choice.privacy.domains": "Domains", "choice.privacy.counts": "Counts only", "choice.privacy.none": "Nothing",
	"field.override.pattern": "Website", "field.override.action": "What happens", "choice.override.action.allow": "Let through", "choice.override.action.block": "Block", "field.override.for": "For",

	/* one's own account */
	"me.title": "Your account", "me.about": "Your second factor and your password.", "me.factor": "Second factor", "me.password": "Password", "me.password.do": "Change password", "me.password.done": "Your password is changed; your other sessions have ended", "me.account": "Account", "me.role": "Role", "me.groups": "Groups", "me.groups.all": "All",
	"field.me.password": "Present password", "field.me.new": "New password", "help.me.new": "At least 10 characters, at most 72 bytes.",
	"totp.title": "Set up the second factor", "totp.scan": "Scan this with an authenticator app, then type the six digits that it shows.", "totp.qr": "QR code for the authenticator app", "totp.by.hand": "Type it by hand", "totp.confirm": "Confirm", "field.totp.totp": "Six digits",
	"totp.codes": "Recovery codes", "totp.codes.about": "Each is good once, when the app is lost. They are not shown again.", "totp.on": "On", "totp.on.about": "Logging in needs your password and a code of your app.", "totp.off": "The second factor is off", "totp.off.do": "Switch it off", "totp.off.about": "Your password alone opens this gateway. A second factor keeps others out who learn it.", "totp.set.up": "Set up",

	/* first run */
	"welcome.title": "Welcome, {name}", "welcome.about": "A few steps, and the first device is connected. What you leave out now you find again later.", "welcome.step": "Step {at} of {of}: {what}", "welcome.next": "Next", "welcome.later": "Later",
	"welcome.factor": "A second factor", "welcome.endpoint": "Where devices connect to", "welcome.device": "The first device", "welcome.endpoint.about": "The name or address at which devices on the Internet reach this gateway.", "field.endpoint.value": "Name or address", "welcome.device.about": "Give it a name, scan the code with the WireGuard app, and it is connected.",

	/* columns */
	"column.name": "Name", "column.device": "Device", "column.state": "State", "column.group": "Group", "column.user": "User", "column.address": "Address",
};
