//! Rejects requests from the pages of other sites (CSRF).

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{Error, ErrorForbidden};
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::middleware::Next;

/// Middleware that rejects unsafe requests from the pages of other sites. A browser lets any page send a `POST`
/// anywhere, and only withholds the response. Clients other than browsers send neither header, and are let through.
pub(crate) async fn own_pages_only<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !request.method().is_safe() && is_foreign(&request) {
        return Err(ErrorForbidden("the request comes from the page of another site\n"));
    }
    next.call(request).await
}

fn is_foreign(request: &ServiceRequest) -> bool {
    let header = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = header(&HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    // For older browsers, which do not send `Sec-Fetch-Site`.
    header(&ORIGIN).is_some_and(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_none() || host != header(&HOST)
    })
}
