;; Returns bytes as a text: `attempt(byte)` a letter repeated, which is no UTF-8 from 128 on.
(component
  (core module $guest
    (memory (export "memory") 1)
    (func (export "attempt") (param $byte i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4))
      (memory.fill (i32.const 16) (local.get $byte) (i32.const 4))
      i32.const 0))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (func (export "attempt") (param "byte" u8) (result string)
    (canon lift (core func $guest "attempt") (memory $memory))))
