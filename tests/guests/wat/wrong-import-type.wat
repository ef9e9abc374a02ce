;; Imports an interface the host has, with a function of another type.
(component
  (import "ringfence:host/log@0.1.0" (instance $log
    (export "write" (func (param "message" u64) (result u64)))))
  (core func $write (canon lower (func $log "write")))
  (core module $guest
    (import "host" "write" (func $write (param i64) (result i64)))
    (func (export "attempt") (result i32)
      (i32.wrap_i64 (call $write (i64.const 1)))))
  (core instance $guest (instantiate $guest
    (with "host" (instance (export "write" (func $write))))))
  (func (export "attempt") (result u32)
    (canon lift (core func $guest "attempt"))))
