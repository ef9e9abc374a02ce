//! A handler of WASI 0.2 that never answers; with `after-head` in the path it stops in the middle of the body.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p2", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_2_12::incoming_handler::Guest;
use wasi::clocks0_2_12::monotonic_clock::subscribe_duration;
use wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        if !path.contains("after-head") {
            return wait();
        }
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(b"the beginning");
            wait();
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

fn wait() {
    subscribe_duration(3_600_000_000_000).block();
}

export!(Handler);
