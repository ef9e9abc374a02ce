;; Drops a handle of a host resource it was never given: `attempt(handle)`. With the handle 0 it asks
;; for a real one and drops that.
(component
  (import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (alias outer 1 $pollable (type $pollable))
    (export "pollable" (type $own (eq $pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
  (core func $drop (canon resource.drop $pollable))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $guest
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (func (export "attempt") (param $handle i32) (result i32)
      (if (i32.eqz (local.get $handle))
        (then (local.set $handle (call $subscribe (i64.const 1)))))
      (call $drop (local.get $handle))
      local.get $handle))
  (core instance $guest (instantiate $guest
    (with "host" (instance
      (export "drop" (func $drop))
      (export "subscribe" (func $subscribe))))))
  (func (export "attempt") (param "handle" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
