//! What holds for any JSON as the input of functions of every type.

use crate::told::{plain, told};
use ringfence_engine::value::{CallResult, Handles, params_from_json, result_to_json};
use serde_json::{Value, json};
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::{Config, Engine};

/// Functions that take a value in `a` and give back what they took. The components have no code: only
/// the types matter.
pub(crate) struct Echoes {
    /// The functions.
    funcs: Vec<ComponentFunc>,
    /// A function that takes a resource nobody holds.
    lend: ComponentFunc,
}

/// Types that need a name, and the type of everything together.
const NAMED: &str = r#"
    (type $p (record (field "name" string) (field "size-limit" (option u32))))
    (import "point" (type $point (eq $p)))
    (type $v (variant (case "none") (case "some-of" u8) (case "deep" (list $point))))
    (import "choice" (type $choice (eq $v)))
    (type $e (enum "red" "green")) (import "color" (type $color (eq $e)))
    (type $g (flags "read" "write")) (import "mode" (type $mode (eq $g)))
    (type $a (record
        (field "flag" bool) (field "small" s8) (field "large" u64) (field "signed" s64)
        (field "real" f64) (field "half" f32) (field "letter" char) (field "text" string)
        (field "bytes" (list u8)) (field "four" (list u16 4)) (field "names" (map string u8))
        (field "points" (list $point)) (field "choice" $choice) (field "color" $color)
        (field "mode" $mode) (field "twice" (option (option u8)))
        (field "outcome" (result (list string) (error $choice)))))
    (import "all" (type $all (eq $a)))
    (import "counter" (type $counter (sub resource)))
"#;

/// The types of `a`, one function each.
const TYPES: [&str; 20] = [
    "bool",
    "s8",
    "u16",
    "s32",
    "u64",
    "s64",
    "f32",
    "f64",
    "char",
    "string",
    "(list u8)",
    "(list (list u16 2))",
    "(map string (option bool))",
    "$point",
    "$choice",
    "$color",
    "$mode",
    "(option (option (option u8)))",
    "(result $point (error string))",
    "$all",
];

impl Echoes {
    /// Returns the functions.
    pub(crate) fn new() -> Self {
        let mut config = Config::new();
        config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
        let engine = Engine::new(&config).expect("a machine that wasmtime supports");
        let echo = |ty| func(&engine, &format!("(param \"a\" (tuple {ty})) (result (tuple {ty}))"));
        let funcs = TYPES.into_iter().map(echo).collect();
        let lend = func(&engine, "(param \"a\" (tuple (borrow $counter)))");
        Self { funcs, lend }
    }

    /// Gives the JSON in `bytes` to every function; returns whether one accepted it, panics when a
    /// promise is broken.
    pub(crate) fn check(&self, bytes: &[u8]) -> bool {
        let Ok(input) = serde_json::from_slice::<Value>(bytes) else { return false };
        let mut handles = Handles::new();
        let lent = params_from_json(&self.lend, &json!({ "a": [input] }), &mut handles);
        assert!(lent.is_err(), "a resource that nobody holds was lent");
        // As it is, for the parameters themselves, and as the value, for everything inside.
        let mut accepted = false;
        for func in &self.funcs {
            accepted |= there_and_back(func, &input);
            accepted |= there_and_back(func, &json!({ "a": [input] }));
        }
        accepted
    }
}

/// Returns the type of an imported function; the named types are declared before it.
fn func(engine: &Engine, signature: &str) -> ComponentFunc {
    let text = format!("(component {NAMED} (import \"f\" (func {signature})))");
    let bytes = wat::parse_str(text).expect("the types above are well formed");
    let component = Component::new(engine, bytes).expect("the types above are valid");
    let ty = component.component_type();
    let found = ty.imports(engine).find_map(|(_, import)| match import.ty {
        ComponentItem::ComponentFunc(func) => Some(func),
        _ => None,
    });
    found.expect("the component imports a function")
}

/// Reads `input` and, when it fits, writes and reads it once more: nothing changes any further.
fn there_and_back(func: &ComponentFunc, input: &Value) -> bool {
    let mut handles = Handles::new();
    let values = match params_from_json(func, input, &mut handles) {
        Ok(values) => values,
        Err(error) => {
            assert!(handles.is_empty(), "a refused input moves nothing");
            plain(&told(&error));
            return false;
        }
    };
    let written = match result_to_json(func, &values, &mut handles) {
        Ok(CallResult::Ok(written)) => written,
        other => panic!("{input} was read and cannot be written: {other:?}"),
    };
    let again = params_from_json(func, &json!({ "a": written }), &mut handles);
    let again = again.and_then(|values| result_to_json(func, &values, &mut handles));
    assert_eq!(again, Ok(CallResult::Ok(written)), "{input}");
    true
}
