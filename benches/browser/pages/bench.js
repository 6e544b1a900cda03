// A page is one measurement: ?{"work":"steps",…} names the module that does it and its settings.

async function work() {
  const options = JSON.parse(decodeURIComponent(location.search.slice(1)));
  const { run } = await import(`./${options.work}.js`);
  return run(options);
}

// There at once, whenever it comes to an end.
window.result = work().catch((error) => ({ error: String(error?.message ?? error).slice(0, 400), stack: String(error?.stack ?? "").slice(0, 900) }));
