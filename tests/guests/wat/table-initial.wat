;; Declares a table of a hundred million elements, so that it costs the host before any code runs.
(component
  (core module $guest
    (table 100000000 funcref)
    (func (export "attempt") (result i32) i32.const 1))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (result u32)
    (canon lift (core func $guest "attempt"))))
