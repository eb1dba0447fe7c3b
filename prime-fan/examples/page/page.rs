//! The files of the page, all served from this program.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{ServiceConfig, get, resource};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// The path, the content type and the text of each file.
const FILES: [(&str, &str, &str); 23] = [
    ("/", HTML, include_str!("static/page.html")),
    ("/page.css", CSS, include_str!("static/page.css")),
    ("/trends.css", CSS, include_str!("static/trends.css")),
    ("/searches.css", CSS, include_str!("static/searches.css")),
    ("/summary.css", CSS, include_str!("static/summary.css")),
    ("/failures.css", CSS, include_str!("static/failures.css")),
    ("/observed.css", CSS, include_str!("static/observed.css")),
    ("/landscape.css", CSS, include_str!("static/landscape.css")),
    ("/nodes.css", CSS, include_str!("static/nodes.css")),
    ("/page.js", JS, include_str!("static/page.js")),
    ("/dom.js", JS, include_str!("static/dom.js")),
    ("/stream.js", JS, include_str!("static/stream.js")),
    ("/figures.js", JS, include_str!("static/figures.js")),
    ("/fan.js", JS, include_str!("static/fan.js")),
    ("/list.js", JS, include_str!("static/list.js")),
    ("/check.js", JS, include_str!("static/check.js")),
    ("/trends.js", JS, include_str!("static/trends.js")),
    ("/searches.js", JS, include_str!("static/searches.js")),
    ("/settings.js", JS, include_str!("static/settings.js")),
    ("/observed.js", JS, include_str!("static/observed.js")),
    ("/summary.js", JS, include_str!("static/summary.js")),
    ("/failures.js", JS, include_str!("static/failures.js")),
    ("/nodes.js", JS, include_str!("static/nodes.js")),
];

pub(crate) fn files(app: &mut ServiceConfig) {
    for (path, kind, text) in FILES {
        let answer = move || async move {
            HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, kind))
                .insert_header((CONTENT_SECURITY_POLICY, POLICY))
                .insert_header((CACHE_CONTROL, "no-cache"))
                .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .body(text)
        };
        app.service(resource(path).route(get().to(answer)));
    }
}
