//! Whose page a request comes from.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{Error, ErrorForbidden};
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::middleware::Next;

/// Refuses requests that change something and were sent by another site's page: a browser lets any page send a `POST`
/// anywhere, and only keeps the answer from it. What isn't a browser sends neither header, and passes.
pub(crate) async fn own_pages_only<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !request.method().is_safe() && is_foreign(&request) {
        return Err(ErrorForbidden("sent by the page of another site\n"));
    }
    next.call(request).await
}

fn is_foreign(request: &ServiceRequest) -> bool {
    let header = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = header(&HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    // Older browsers.
    header(&ORIGIN).is_some_and(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_none() || host != header(&HOST)
    })
}
