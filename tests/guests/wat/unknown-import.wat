;; Imports an interface that no host of this kind has.
(component
  (import "acme:telepathy/send@1.0.0" (instance $thing
    (export "send" (func (param "thought" u32) (result u32)))))
  (core func $send (canon lower (func $thing "send")))
  (core module $guest
    (import "host" "send" (func $send (param i32) (result i32)))
    (func (export "attempt") (result i32) (call $send (i32.const 1))))
  (core instance $guest (instantiate $guest
    (with "host" (instance (export "send" (func $send))))))
  (func (export "attempt") (result u32)
    (canon lift (core func $guest "attempt"))))
