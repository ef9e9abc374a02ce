//! A handler of WASI 0.2 that traps, or answers when the path is `/answer`; it also counts, to show whether instances are shared.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p2", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_2_12::incoming_handler::Guest;
use std::cell::Cell;
use wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });

struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        CALLS.set(CALLS.get() + 1);
        if request.path_with_query().as_deref() != Some("/answer") {
            panic!("on purpose");
        }
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(format!("call {}\n", CALLS.get()).as_bytes());
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

export!(Handler);
