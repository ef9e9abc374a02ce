;; Declares a memory of 4 GiB, so that it costs the host before any code runs.
(component
  (core module $guest
    (memory 65536)
    (func (export "attempt") (result i32) memory.size))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (result u32)
    (canon lift (core func $guest "attempt"))))
