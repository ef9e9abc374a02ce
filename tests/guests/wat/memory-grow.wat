;; Grows its memory page by page until it has `goal` pages or the host refuses: `attempt(goal)`
;; returns how many it has.
(component
  (core module $guest
    (memory 1)
    (func (export "attempt") (param $goal i32) (result i32)
      (block $done
        (loop $again
          (br_if $done (i32.ge_u (memory.size) (local.get $goal)))
          (br_if $done (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
          (br $again)))
      memory.size))
  (core instance $guest (instantiate $guest))
  (func (export "attempt") (param "goal" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
