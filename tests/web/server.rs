//! A server on a free port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use actix_fan::StopHandle;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};

/// The pipeline that a handler started last.
pub(crate) type Started = Arc<Mutex<Option<StopHandle>>>;

/// How the server takes it when a client closes its side of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It may still read: actix-web's default.
    Half,
    /// It is gone.
    Gone,
}

/// Serves until the test's System ends.
pub(crate) fn serve(closed: Closed, routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    let server = HttpServer::new(move || App::new().configure(routes.clone()))
        .workers(2)
        .h1_allow_half_closed(closed == Closed::Half)
        .disable_signals()
        .bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap();
    let address = server.addrs()[0];
    actix::spawn(server.run());
    address
}
