graph [
  node [ id 1 lanes 2 ]
  node [ id 2 lanes "two" ]
]
