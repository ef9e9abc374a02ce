;; Loops in the start function of its core module, for some seconds, before any function is called.
(component
  (core module $guest
    (func $start (local $left i64)
      (local.set $left (i64.const 6000000000))
      (loop $again
        (local.set $left (i64.sub (local.get $left) (i64.const 1)))
        (br_if $again (i64.ne (local.get $left) (i64.const 0)))))
    (start $start)
    (func (export "attempt") (result i32) i32.const 1))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (result u32)
    (canon lift (core func $guest "attempt"))))
