"""What a workflow may say: fields, references, conditions, schemas, policies, in words."""
