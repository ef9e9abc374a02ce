//! Keeps the texts of a request short while a guest builds it.
//!
//! The types of `wasi:http` are linked for everyone, and `wasmtime-wasi-http` keeps a method or an
//! authority of any length: a guest that drops no request could fill the host's memory with them.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p3::bindings::http::types as p3;
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView, WasiHttpView as _};

use crate::HostState;

/// Methods are words; the longest registered one has 17 letters.
const MOST_METHOD_BYTES: usize = 64;
/// A host name has at most 253 characters; the rest is for a port and for what a refusal quotes.
const MOST_AUTHORITY_BYTES: usize = 1024;

type Set<R, T> = fn(&mut WasiHttpCtxView<'_>, Resource<R>, T) -> wasmtime::Result<Result<(), ()>>;

/// Links `wasi:http/types` of WASI 0.2.
pub(crate) fn link_p2(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    p2::add_to_linker::<_, WasiHttp>(linker, &p2::LinkOptions::default(), HostState::http)?;
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:http/types@0.2.12")?;
    let long = |method: &p2::Method| matches!(method, p2::Method::Other(text) if too_long(text));
    short(&mut types, "[method]outgoing-request.set-method", long, |view, request, method| {
        p2::HostOutgoingRequest::set_method(view, request, method)
    })?;
    let name = "[method]outgoing-request.set-authority";
    short(&mut types, name, long_authority, |view, request, authority| {
        p2::HostOutgoingRequest::set_authority(view, request, authority)
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Links `wasi:http/types` of WASI 0.3.
pub(crate) fn link_p3(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    p3::add_to_linker::<_, WasiHttp>(linker, HostState::http)?;
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:http/types@0.3.0")?;
    let long = |method: &p3::Method| matches!(method, p3::Method::Other(text) if too_long(text));
    short(&mut types, "[method]request.set-method", long, |view, request, method| {
        p3::HostRequest::set_method(view, request, method)
    })?;
    short(
        &mut types,
        "[method]request.set-authority",
        long_authority,
        |view, request, authority| p3::HostRequest::set_authority(view, request, authority),
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Defines the setter `name` again: a text that is too long is answered like any other that is not
/// taken.
fn short<R: 'static, T: 'static>(
    types: &mut LinkerInstance<'_, HostState>,
    name: &str,
    long: fn(&T) -> bool,
    set: Set<R, T>,
) -> wasmtime::Result<()>
where
    (Resource<R>, T): ComponentNamedList + Lift + 'static,
{
    types.func_wrap(
        name,
        move |mut store: StoreContextMut<'_, HostState>, (request, text): (Resource<R>, T)| {
            if long(&text) {
                return Ok((Err(()),));
            }
            Ok((set(&mut store.data_mut().http(), request, text)?,))
        },
    )
}

fn too_long(method: &str) -> bool {
    method.len() > MOST_METHOD_BYTES
}

#[expect(clippy::ref_option, reason = "it is the argument as the setter takes it")]
fn long_authority(authority: &Option<String>) -> bool {
    authority.as_ref().is_some_and(|text| text.len() > MOST_AUTHORITY_BYTES)
}
