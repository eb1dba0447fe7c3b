//! The page, which comes from here alone.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, HttpResponseBuilder};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn html() -> HttpResponse {
    file("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(include_str!("page/page.html"))
}

pub(crate) async fn css() -> HttpResponse {
    file("text/css; charset=utf-8").body(include_str!("page/page.css"))
}

pub(crate) async fn js() -> HttpResponse {
    file("text/javascript; charset=utf-8").body(include_str!("page/page.js"))
}

fn file(kind: &str) -> HttpResponseBuilder {
    let mut file = HttpResponse::Ok();
    file.insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    file
}
