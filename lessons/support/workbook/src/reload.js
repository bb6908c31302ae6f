// Served by `cargo workbook` only: loads the page again when the book has been built again, and shows why it was not.
(() => {
    "use strict";
    const { build, news } = document.currentScript.dataset;
    const banner = document.createElement("pre");
    banner.setAttribute("role", "alert");
    banner.style.cssText =
        "position:fixed;inset:auto 0 0 0;z-index:1000;margin:0;padding:12px 16px;max-height:50vh;overflow:auto;" +
        "white-space:pre-wrap;background:#a8071a;color:#fff;font:14px/1.4 ui-monospace,monospace";
    let source = null;

    // A browser allows a site about six connections, over all its tabs: only a page that is seen holds one.
    function listen() {
        if (document.visibilityState !== "visible") {
            source?.close();
            source = null;
            return;
        }
        source ??= new EventSource(news);
        source.onmessage = (event) => {
            const now = JSON.parse(event.data);
            if (now.build !== build) {
                location.reload();
            } else if (now.error) {
                banner.textContent = "The book does not build; this is the last good one.\n" + now.error;
                document.body.append(banner);
            } else {
                banner.remove();
            }
        };
    }

    document.addEventListener("visibilitychange", listen);
    addEventListener("pagehide", () => {
        source?.close();
        source = null;
    });
    addEventListener("pageshow", listen);
    listen();
})();
