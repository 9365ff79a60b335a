"use strict";
(() => {
	// In milliseconds: the time between two readings, the same in the background, the time limit of a reading, and how
	// long a change stays marked.
	const every = 3000, rarely = 30000, limit = 10000, marked = 15000;
	const changed = new Map(); // when, by the names of rows
	const said = document.getElementById("said"), pause = document.getElementById("pause"), form = document.forms[0];
	const clock = page => page.querySelector(".time").textContent.match(/[0-9:]+/)[0]; // of the daemon
	let timer, reading, typing, answered = clock(document);

	// What the rows say, by their names.
	const rows = () => new Map([...document.querySelectorAll("[data-is]")].map(r => [r.dataset.name, r]));

	// Notes the rows that changed, and says so in a sentence.
	const compare = before => {
		const now = rows(), changes = [];
		for (const [name, row] of now) {
			const was = before.get(name);
			if (was?.dataset.is === row.dataset.is) continue;
			changed.set(name, Date.now());
			changes.push(name + ": " + (was ? was.dataset.is + ", now " : "") + row.dataset.is);
		}
		for (const name of before.keys()) if (!now.has(name)) changes.push(name + ": no longer listed");
		if (changes.length === 0) return;
		const more = changes.length > 2 ? " and " + (changes.length - 2) + " more" : "";
		said.textContent = answered + " " + changes.slice(0, 2).join("; ") + more;
	};

	// Says once why the page is not up to date, and dims it. With "" and "" it undoes that.
	const lags = (kind, why) => {
		if (said.className === kind) return;
		said.className = kind;
		said.textContent = why;
		document.querySelector("main").classList.toggle("stale-main", kind !== "");
	};

	const stale = why => {
		if (said.className !== "stale") document.title = "No answer, " + document.title;
		lags("stale", "No answer since " + answered + ": " + why);
	};

	// Takes over the document at this address. In the background, and while text is selected, which would be lost, it
	// takes only the title: whoever comes back then sees all that changed.
	const show = (text, compares) => {
		const page = new DOMParser().parseFromString(text, "text/html");
		const old = document.querySelector("main"), fresh = page.querySelector("main");
		if (!fresh) throw new Error("it is another page");
		if (page.documentElement.dataset.version !== document.documentElement.dataset.version) return location.reload();
		document.title = page.title;
		answered = clock(page);
		const pauses = compares && !getSelection().isCollapsed;
		lags(pauses ? "pauses" : "", pauses ? "Not updated while text is selected" : "");
		if (pauses || compares && document.hidden) return;
		const before = rows(), link = document.activeElement?.closest("main a")?.getAttribute("href");
		const open = new Set([...old.querySelectorAll("details[open]")].map(d => d.closest("tr").dataset.name));
		const held = document.activeElement?.closest("main summary")?.closest("tr").dataset.name;
		old.replaceWith(fresh);
		for (const d of fresh.querySelectorAll("details")) {
			const name = d.closest("tr").dataset.name;
			d.open = open.has(name);
			if (name === held) d.firstChild.focus({preventScroll: true});
		}
		if (link) [...fresh.querySelectorAll("a")].find(a => a.getAttribute("href") === link)?.focus({preventScroll: true});
		if (compares) compare(before);
		for (const [name, row] of rows()) row.classList.toggle("changed", Date.now() - changed.get(name) < marked);
	};

	const read = async compares => {
		clearTimeout(timer);
		reading?.abort();
		const mine = reading = new AbortController();
		const late = setTimeout(() => mine.abort(), limit);
		try {
			const answer = await fetch(location.href, {cache: "no-store", signal: mine.signal});
			const text = await answer.text();
			if (!answer.headers.get("Content-Type")?.startsWith("text/html")) throw new Error(text.slice(0, 200));
			if (reading === mine) show(text, compares);
		} catch (error) {
			if (reading === mine) stale(error.message);
		}
		clearTimeout(late);
		if (reading === mine) next();
	};

	const next = () => {
		clearTimeout(timer);
		if (pause.ariaPressed !== "true") timer = setTimeout(read, document.hidden ? rarely : every, true);
	};

	pause.hidden = false;
	pause.onclick = () => {
		pause.ariaPressed = String(pause.ariaPressed !== "true");
		next();
	};
	document.onvisibilitychange = () => document.hidden ? next() : pause.ariaPressed !== "true" && read(true);
	form.oninput = () => {
		clearTimeout(typing);
		typing = setTimeout(() => {
			const filled = new FormData(form);
			history.replaceState(null, "", "?" + new URLSearchParams([...filled].filter(([, value]) => value)));
			read(false);
		}, 200);
	};
	next();
})();
