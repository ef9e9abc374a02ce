;; Calls itself `depth` times, without any memory of its own in use: `attempt(depth)` returns `depth`.
(component
  (core module $guest
    (func $down (export "attempt") (param $depth i32) (result i32)
      (if (result i32) (i32.eqz (local.get $depth))
        (then (i32.const 0))
        (else
          (i32.add
            (i32.const 1)
            (call $down (i32.sub (local.get $depth) (i32.const 1))))))))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (param "depth" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
