//! A good handler of WASI 0.2: answers with the method, path, headers and body it got.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p2", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_2_12::incoming_handler::Guest;
use wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::OutputStream;

struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let mut text =
            format!("{:?} {}\n", request.method(), request.path_with_query().unwrap_or_default());
        for (name, value) in request.headers().entries() {
            text += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
        }
        text.push('\n');
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        let Ok(stream) = body.write() else { return };
        send(&stream, text.as_bytes());
        copy(request, &stream);
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn copy(request: IncomingRequest, to: &OutputStream) {
    let Ok(body) = request.consume() else { return };
    let Ok(from) = body.stream() else { return };
    while let Ok(piece) = from.blocking_read(64 * 1024) {
        send(to, &piece);
    }
}

fn send(stream: &OutputStream, bytes: &[u8]) {
    for piece in bytes.chunks(4096) {
        if stream.blocking_write_and_flush(piece).is_err() {
            return;
        }
    }
}

export!(Handler);
